//! The health of targets, shown and set by hand.

use serde_json::json;

use crate::kit::{KONG, Node};

#[test]
fn health_of_targets_a45() {
    let node = Node::serving(&KONG.replace("host: pool", "host: pool\n  routes: [{name: p, paths: [/p]}]"));
    let health = node.get("/upstreams/pool/health").json();
    assert_eq!(health["node_id"], node.control.node_id().to_string());
    let target = &health["data"][0];
    assert_eq!(target["health"], "HEALTHCHECKS_OFF");
    assert_eq!(
        target["data"]["addresses"],
        json!([{ "ip": "127.0.0.1", "port": 9102, "weight": 10, "health": "HEALTHCHECKS_OFF" }])
    );
    assert_eq!(node.get("/upstreams/nope/health").status, 404);
}

#[test]
fn health_is_shown_and_set_by_hand_a45_h19_h23_h24() {
    let checked = KONG
        .replace("host: pool", "host: pool\n  routes: [{name: p, paths: [/p]}]")
        .replace("- name: pool", "- name: pool\n  healthchecks: {passive: {unhealthy: {tcp_failures: 3}}}")
        .replace("    weight: 10", "    weight: 10\n  - target: 127.0.0.1:9103\n    weight: 30");
    let node = Node::serving(&checked);
    let put = |path: &str| node.ask("PUT", &format!("/upstreams/pool/targets/{path}"), "", "").status;
    let states = || {
        let list = node.get("/upstreams/pool/health").json();
        let mut states: Vec<_> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                assert_eq!(row["health"], row["data"]["addresses"][0]["health"]);
                format!("{} {} {}", row["target"], row["health"], row["data"]["weight"]["available"])
            })
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(), ["\"127.0.0.1:9102\" \"HEALTHY\" 10", "\"127.0.0.1:9103\" \"HEALTHY\" 30"]);
    assert_eq!(put("127.0.0.1:9103/unhealthy"), 204);
    assert_eq!(states(), ["\"127.0.0.1:9102\" \"HEALTHY\" 10", "\"127.0.0.1:9103\" \"UNHEALTHY\" 0"]);
    let metrics = node.get("/metrics").text;
    assert!(metrics.contains(
        "kong_upstream_target_health{upstream=\"pool\",target=\"127.0.0.1:9103\",address=\"127.0.0.1:9103\",\
         state=\"unhealthy\",subsystem=\"http\"} 1"
    ));
    let pool = node.get("/upstreams/pool/health?balancer_health=1").json();
    assert_eq!(pool["node_id"], node.control.node_id().to_string());
    let data = &pool["data"];
    assert_eq!((&data["health"], &data["balancer_health"]), (&json!("HEALTHY"), &json!("HEALTHY")));
    assert_eq!(data["details"]["weight"], json!({ "total": 40, "available": 10, "unavailable": 30 }));
    assert_eq!(data["details"]["hosts"].as_array().unwrap().len(), 2);
    assert_eq!(data["details"].get("reason"), None);

    assert_eq!(put("127.0.0.1:9102/127.0.0.1:9102/unhealthy"), 204);
    let pool = node.get("/upstreams/pool/health?balancer_health=1").json();
    assert_eq!(
        (&pool["data"]["health"], &pool["data"]["details"]["healthy"]),
        (&json!("UNHEALTHY"), &json!(false))
    );
    assert_eq!(pool["data"]["details"]["reason"], "all_unhealthy");
    assert_eq!(put("127.0.0.1:9102/127.0.0.1:1/healthy"), 404);
    assert_eq!(put("127.0.0.1:1/healthy"), 404);
    assert_eq!((put("127.0.0.1:9102/healthy"), put("127.0.0.1:9103/healthy")), (204, 204));
    assert!(states().iter().all(|state| state.contains("\"HEALTHY\"")));
}

#[test]
fn health_without_checks_or_balancer_is_not_set_a45() {
    let unused = Node::serving(&KONG.replace("host: pool", "host: elsewhere"));
    let path = "/upstreams/pool/targets/127.0.0.1:9102/unhealthy";
    unused.ask("PUT", path, "", "").is(400, &json!({ "message": "Upstream pool has no balancer" }));
    let node = Node::serving(&KONG.replace("host: pool", "host: pool\n  routes: [{name: p, paths: [/p]}]"));
    node.ask("PUT", path, "", "").is(400, &json!({ "message": "Upstream pool has no healthchecker" }));
    assert_eq!(node.get(path).status, 405);
    let pool = node.get("/upstreams/pool/health?balancer_health=1").json();
    assert_eq!(pool["data"]["health"], "HEALTHCHECKS_OFF");
}
