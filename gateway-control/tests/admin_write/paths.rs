//! What goes with what: nested paths, what a DELETE takes along, groups and their members.

use serde_json::{Value, json};

use crate::kit::Node;

#[test]
fn what_cannot_be_without_it_goes_along() {
    let node = Node::stored();
    for (path, body) in [
        ("/upstreams", json!({ "name": "u" })),
        ("/upstreams/u/targets", json!({ "target": "a.t" })),
        ("/services", json!({ "name": "s", "host": "u" })),
        ("/services/s/routes", json!({ "name": "r", "paths": ["/r"] })),
        ("/services/s/plugins", json!({ "name": "cors" })),
        ("/routes/r/plugins", json!({ "name": "cors" })),
        ("/consumers", json!({ "username": "alice" })),
        ("/consumers/alice/key-auth", json!({ "key": "k" })),
        ("/consumers/alice/acls", json!({ "group": "g" })),
        ("/consumers/alice/plugins", json!({ "name": "correlation-id" })),
        ("/consumer_groups", json!({ "name": "gold" })),
        ("/consumer_groups/gold/consumers", json!({ "consumer": "alice" })),
    ] {
        node.made(201, "POST", path, &body);
    }
    let count = |path: &str| node.get(path).json()["data"].as_array().unwrap().len();
    node.gone("/consumers/alice");
    assert_eq!((count("/key-auths"), count("/acls"), count("/plugins")), (0, 0, 2));
    assert_eq!(count("/consumer_groups/gold/consumers"), 0, "the group stays, without her");
    node.gone("/upstreams/u");
    node.gone("/routes/r");
    assert_eq!(count("/plugins"), 1);
    node.gone("/services/s");
    assert_eq!((count("/plugins"), count("/services"), count("/routes")), (0, 0, 0));
    let served = node.control.gateway().snapshot();
    assert!(served.config().targets.is_empty() && served.config().plugins.is_empty());
}

#[test]
fn a_route_may_lose_and_find_its_service() {
    let node = Node::stored();
    node.made(201, "POST", "/routes", &json!({ "name": "r", "paths": ["/r"] }));
    assert_eq!(node.get("/routes/r/service").status, 404);
    assert_eq!(node.send("PATCH", "/routes/r/service", &json!({ "port": 1 })).status, 404);
    let service = node.made(200, "PUT", "/routes/r/service", &json!({ "host": "h" }));
    assert_eq!(node.get("/routes/r").json()["service"]["id"], service["id"]);
    let again = node.made(200, "PUT", "/routes/r/service", &json!({ "host": "i" }));
    assert_eq!(again["id"], service["id"]);
    let alone = node.made(200, "PATCH", "/routes/r", &json!({ "service": null }));
    assert_eq!(alone["service"], Value::Null);
}

#[test]
fn members_of_groups_from_both_sides() {
    let node = Node::stored();
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    node.made(201, "POST", "/consumers", &json!({ "username": "bob" }));
    node.made(201, "POST", "/consumer_groups", &json!({ "name": "gold", "tags": ["x"] }));
    let added = node.made(201, "POST", "/consumer_groups/gold/consumers", &json!({ "consumer": "alice" }));
    assert_eq!(added["consumer_group"]["name"], "gold");
    assert_eq!(added["consumers"][0]["username"], "alice");
    let joined = node.made(201, "POST", "/consumers/bob/consumer_groups", &json!({ "group": "gold" }));
    assert_eq!(joined["consumer_groups"][0]["name"], "gold");
    let names = |path: &str, field: &str| {
        let list = node.get(path).json()["data"].as_array().unwrap().clone();
        let mut names: Vec<_> = list.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("/consumer_groups/gold/consumers", "username"), ["alice", "bob"]);
    assert_eq!(names("/consumers/alice/consumer_groups", "name"), ["gold"]);
    let group = node.get("/consumer_groups/gold").json();
    assert_eq!((&group["name"], &group["consumer_group"]["name"]), (&json!("gold"), &json!("gold")));
    assert_eq!(group["consumers"].as_array().unwrap().len(), 2);
    node.made(201, "POST", "/consumer_groups/gold/plugins", &json!({ "name": "correlation-id" }));
    assert_eq!(node.get("/consumer_groups/gold").json()["plugins"].as_array().unwrap().len(), 1);
    node.gone("/consumer_groups/gold/consumers/alice");
    assert_eq!(names("/consumer_groups/gold/consumers", "username"), ["bob"]);
    assert_eq!(node.get("/consumer_groups/gold/consumers/alice").status, 404);
    node.gone("/consumers/bob/consumer_groups/gold");
    assert_eq!(node.get("/consumer_groups/gold/consumers").json(), json!({ "data": [], "next": null }));
    let nobody = node.send("POST", "/consumer_groups/gold/consumers", &json!({ "consumer": "nobody" }));
    assert_eq!(nobody.status, 404);
}

#[test]
fn lists_are_paged_and_filtered_as_without_a_store_a12_a16() {
    let node = Node::stored();
    for number in 0..5 {
        let tags = if number < 3 { json!(["low"]) } else { json!(["high", "x"]) };
        node.made(
            201,
            "POST",
            "/services",
            &json!({ "name": format!("s{number}"), "host": "h", "tags": tags }),
        );
    }
    let mut seen = 0;
    let mut next = json!("/services?size=2");
    while let Some(path) = next.as_str() {
        let page = node.get(path).json();
        seen += page["data"].as_array().unwrap().len();
        next = page["next"].clone();
        assert!(seen <= 5);
    }
    assert_eq!(seen, 5);
    assert_eq!(node.get("/services?tags=high,x").json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(node.get("/tags/low").json()["data"].as_array().unwrap().len(), 3);
}

#[test]
fn clients_see_an_api_that_can_be_written_to_a42_a43_d29() {
    let node = Node::stored();
    assert_eq!(node.get("/").json()["configuration"]["database"], "postgres");
    let status = node.get("/status").json();
    assert_eq!(status["database"]["reachable"], true);
    assert_eq!(status.get("configuration_hash"), None);
    assert_eq!(node.get("/status/ready").status, 200);
}

#[test]
fn general_endpoints_m1() {
    let node = Node::stored();
    for path in [
        "/",
        "/status",
        "/endpoints",
        "/config",
        "/tags",
        "/tags/x",
        "/schemas/services",
        "/schemas/plugins/cors",
        "/plugins",
        "/plugins/enabled",
        "/timers",
    ] {
        assert_eq!(node.get(path).status, 200, "{path}");
    }
    assert_eq!(node.send("POST", "/schemas/services/validate", &json!({ "host": "h" })).status, 200);
    assert_eq!(node.send("POST", "/schemas/plugins/validate", &json!({ "name": "cors" })).status, 200);
    assert_eq!(node.get("/cache/services:x").status, 404);
    node.gone("/cache");
    node.gone("/cache/services:x");
    let message =
        "this endpoint is only available when Kong is configured to run as Control Plane for the cluster";
    for path in ["/clustering/data-planes", "/clustering/status"] {
        node.get(path).is(400, &json!({ "message": message }));
    }
}
