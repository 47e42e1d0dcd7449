//! The Admin API of a node without a database, row by row of the contract, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use gateway_control::{Control, Hash, admin::Access};
use gateway_core::{
    Gateway,
    config::{Config, derived_id},
    plugins,
    router::Flavor,
    server::{Drain, Server, Settings},
};
use kit::{KONG, Node};
use serde_json::{Value, json};

const ROUTELESS: &str = "_format_version: '3.0'\n_comment: nothing\n";

#[test]
fn every_reply_has_kongs_form_m9() {
    let node = Node::serving(KONG);
    let answer = node.get("/services/users");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None, "D37");
    assert!(answer.header("server").unwrap().starts_with("gateway/"));
    assert!(answer.header("x-kong-admin-latency").unwrap().parse::<u64>().is_ok());
    assert!(answer.header("content-length").is_some());
    assert!(answer.text.contains(r#""path":"\/base""#) && !answer.text.contains('\n'), "{}", answer.text);
    let service = answer.json();
    for field in ["client_certificate", "tls_verify", "ca_certificates"] {
        assert_eq!(service.get(field), Some(&Value::Null), "null fields are shown: {field}");
    }
    assert_eq!(service["retries"], 5);
    let head = node.ask("HEAD", "/services/users", "", "");
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[test]
fn a_change_is_not_taken_from_the_page_of_another_site_d37() {
    let node = Node::serving(KONG);
    let port = node.address.port();
    let before = node.control.hash();
    let refused = [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: http://localhost:1\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: null\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for fields in &refused {
        for (path, body) in [("/config", ROUTELESS), ("/status/ready", "status=draining")] {
            let answer = node.ask_with("POST", path, fields, body);
            assert_eq!(answer.status, 403, "{fields}");
            assert!(answer.json()["message"].is_string());
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        assert_eq!(node.ask_with("GET", "/status/ready", fields, "").status, 200, "{fields}");
    }
    assert_eq!(node.control.hash(), before);
    for fields in [
        format!(
            "Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"
        ),
        format!("Host: [::1]:{port}\r\n"),
    ] {
        assert_eq!(node.ask_with("POST", "/config", &fields, ROUTELESS).status, 201, "{fields}");
    }
}

#[test]
fn nothing_is_shown_to_the_page_of_another_site_d37() {
    let node = Node::serving(KONG);
    let port = node.address.port();
    for origin in ["http://evil.example", "http://localhost:1", "null"] {
        let fields = format!("Host: localhost:{port}\r\nOrigin: {origin}\r\n");
        let answer = node.ask_with("GET", "/services", &fields, "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{origin}");
        assert_eq!(answer.header("vary"), Some("origin"), "no cache gives it another one's answer");
        let asks = node.ask_with("OPTIONS", "/services", &fields, "");
        assert_eq!((asks.status, asks.header("access-control-allow-origin")), (204, None), "{origin}");
    }
    // Where DNS was rebound, the page is of the same origin, and its browser on this machine.
    let rebound = format!("Host: evil.example:{port}\r\n");
    for path in ["/services", "/config", "/", "/history"] {
        assert_eq!(node.ask_with("GET", path, &rebound, "").status, 403, "{path}");
    }
    for path in ["/status", "/status/ready"] {
        assert_eq!(node.ask_with("GET", path, &rebound, "").status, 200, "{path}");
    }
    let guarded = Node::open_to(
        Control::new(Gateway::builder().build().unwrap()),
        Access::default().token("t", "s3cret"),
    );
    let fields = "Host: evil.example\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(guarded.ask_with("GET", "/services", fields, "").status, 200, "no page has a token");
}

#[test]
fn pages_of_listed_origins_read_and_change_d37() {
    let origin = "https://console.internal";
    let access = Access::default().token("t", "s3cret").origin(origin);
    let node = Node::open_to(Control::new(Gateway::builder().build().unwrap()), access);
    let fields = |more: &str| format!("Host: localhost\r\nOrigin: {origin}\r\n{more}");
    let asks = node.ask_with("OPTIONS", "/config", &fields("Access-Control-Request-Method: POST\r\n"), "");
    assert_eq!((asks.status, asks.header("access-control-allow-origin")), (204, Some(origin)));
    assert!(asks.header("access-control-allow-methods").unwrap().contains("post"));
    assert!(asks.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(
        node.ask_with("GET", "/services", &fields(""), "").status,
        401,
        "it brings a token all the same"
    );
    let token = fields("Authorization: Bearer s3cret\r\nSec-Fetch-Site: cross-site\r\n");
    let made = node.ask_with("POST", "/config", &token, ROUTELESS);
    assert_eq!((made.status, made.header("access-control-allow-origin")), (201, Some(origin)));
    let other = "Host: localhost\r\nOrigin: https://console.internal.evil.example\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(node.ask_with("POST", "/config", other, ROUTELESS).status, 403);
    assert_eq!(node.ask_with("OPTIONS", "/config", other, "").header("access-control-allow-origin"), None);
}

#[test]
fn without_a_store_a_configuration_can_be_tried() {
    let node = Node::serving(KONG);
    let before = (node.control.hash(), node.control.config());
    let tried = node.post("/config?dry_run=1", "text/yaml", ROUTELESS);
    assert_eq!(tried.status, 200);
    let tried = tried.json();
    assert_eq!(
        (&tried["dry_run"], &tried["revision"], &tried["status"]),
        (&json!(true), &Value::Null, &json!(201))
    );
    assert!(tried["differences"].as_array().unwrap().iter().any(|one| one["what"] == "goes"), "{tried}");
    assert_eq!(node.post("/config?dry_run=1", "text/yaml", "services: 7").status, 400);
    assert_eq!(node.post("/config?dry_run=maybe", "text/yaml", ROUTELESS).status, 400);
    let stale = "Host: localhost\r\nIf-Match: \"7\"\r\nContent-Type: text/yaml\r\n";
    assert_eq!(
        node.ask_with("POST", "/config", stale, ROUTELESS).status,
        412,
        "nothing was at that revision"
    );
    assert_eq!((node.control.hash(), node.control.config()), before);
    assert_eq!(node.control.loads().outcome().failed, 0);
}

#[test]
fn what_cannot_be_tried_is_not_done() {
    let node = Node::serving(KONG);
    assert_eq!(node.post("/status/ready?dry_run=1", "", "status=draining").status, 400);
    assert_eq!(node.get("/status/ready?dry_run=1").status, 200, "it still is");
    for path in [
        "/debug/node/log-level/debug",
        "/upstreams/u/targets/t/healthy",
        "/upstreams/u/targets/t/a/unhealthy",
    ] {
        let refused = node.ask("PUT", &format!("{path}?dry_run=1"), "", "");
        assert!(refused.status == 400 && refused.text.contains("dry_run"), "{path}: {}", refused.text);
    }
}

#[test]
fn a_slow_change_holds_up_no_other() {
    let node = Node::serving(KONG);
    let mut slow = TcpStream::connect(node.address).unwrap();
    let head =
        "POST /config HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    // Its body is asked for: the change is under way.
    let mut interim = [0; 25];
    slow.read_exact(&mut interim).unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));
    assert_eq!(node.post("/config", "text/yaml", ROUTELESS).status, 201);
}

#[test]
fn empty_lists_a11() {
    Node::serving(KONG).get("/snis").is(200, &json!({ "data": [], "next": null }));
}

#[test]
fn pages_a12() {
    let node = Node::serving(KONG);
    let first = node.get("/services?size=1&tags=pg").json();
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with("/services?offset=") && next.ends_with("&size=1&tags=pg"), "{next}");
    let second = node.get(next).json();
    assert_eq!(second["next"], Value::Null);
    let mut ids = [&first, &second].map(|page| page["data"][0]["id"].as_str().unwrap().to_owned());
    assert!(ids[0] < ids[1], "in the order of ids");
    ids.sort();
    let mut expected = ["users", "other"].map(|name| derived_id("services", name).to_string());
    expected.sort();
    assert_eq!(ids, expected);
    let tags = node.get("/tags/pg?size=1").json();
    assert!(!tags["next"].as_str().unwrap().contains("size"), "{tags}");
    assert_eq!(node.get(tags["next"].as_str().unwrap()).json()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn sizes_offsets_and_tags_that_are_none_a13_a14_a15() {
    let node = Node::serving(KONG);
    let size = |message: &str| json!({ "code": 9, "name": "invalid size", "message": message });
    for path in ["/services?size=0", "/services?size=2000"] {
        node.get(path).is(400, &size("size must be an integer between 1 and 1000"));
    }
    node.get("/services?size=abc").is(400, &size("size must be a number"));
    let message = "'xx' is not a valid offset: bad json encoding";
    node.get("/services?offset=xx")
        .is(400, &json!({ "code": 7, "name": "invalid offset", "message": message }));
    node.get("/services?tags=a,b/c").is(
        400,
        &json!({
            "code": 11, "name": "invalid options",
            "message": "invalid option (tags: invalid filter syntax)",
            "options": { "tags": "invalid filter syntax" }
        }),
    );
}

#[test]
fn tags_a16() {
    let node = Node::serving(KONG);
    let tagged = |id: uuid::Uuid, tag: &str, name: &str| json!({ "tag": tag, "entity_name": name, "entity_id": id.to_string() });
    let answer = node.get("/tags/a").json();
    let alice = tagged(derived_id("consumers", "alice"), "a", "consumers");
    assert_eq!(answer["data"], json!([tagged(derived_id("services", "users"), "a", "services"), alice]));
    assert_eq!(node.get("/tags").json()["data"].as_array().unwrap().len(), 4);
    assert_eq!(node.get("/services?tags=pg,a").json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(node.get("/services?tags=pg/a").json()["data"].as_array().unwrap().len(), 2);
}

#[test]
fn a_trailing_slash_means_nothing_and_case_does_a17() {
    let node = Node::serving(KONG);
    assert_eq!(node.get("/services/").status, 200);
    assert_eq!(node.get("/services/users/?x=1").json()["name"], "users");
    assert_eq!(node.get("/Services").status, 404);
}

#[test]
fn what_is_not_there_a24() {
    let node = Node::serving(KONG);
    for path in [
        "/nope",
        "/services/nope",
        "/services/nope/routes",
        "/targets",
        "/routes/users/plugins/x",
        "/a/b/c/d",
    ] {
        node.get(path).is(404, &json!({ "message": "Not found" }));
    }
}

#[test]
fn wrong_methods_and_options_a27() {
    let node = Node::serving(KONG);
    node.ask("DELETE", "/services", "", "").is(405, &json!({ "message": "Method not allowed" }));
    node.ask("POST", "/status", "", "").is(405, &json!({ "message": "Method not allowed" }));
    let answer = node.ask("OPTIONS", "/services", "", "");
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("allow"), Some("get, head, options, post"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("get, head, options, post"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
}

#[test]
fn bodies_that_are_no_json_a28_and_kinds_that_are_not_read() {
    let node = Node::serving(KONG);
    let bad = json!({ "message": "Cannot parse JSON body" });
    node.post("/config", "application/json", "{").is(400, &bad);
    node.post("/config", "application/json", "[1]").is(400, &bad);
    assert_eq!(node.post("/config", "text/plain", "x").status, 415);
    assert_eq!(node.post("/config", "", "\u{fffd}").status, 400);
}

#[test]
fn lists_below_a_parent_and_the_way_up() {
    let node = Node::serving(KONG);
    let service = derived_id("services", "users").to_string();
    let routes = node.get("/services/users/routes").json();
    assert_eq!(routes["data"][0]["service"]["id"], service);
    assert_eq!(node.get(&format!("/services/{service}/routes/users")).json()["name"], "users");
    assert_eq!(node.get("/services/other/routes").json()["data"], json!([]));
    assert_eq!(node.get("/services/other/routes/users").status, 404);
    assert_eq!(node.get("/routes/users/service").json()["id"], service);
    assert_eq!(node.get("/routes/users/plugins").json()["data"][0]["name"], "cors");
    let key = node.get("/consumers/alice/key-auth").json();
    assert_eq!(key["data"][0]["key"], "wonderland");
    assert_eq!(key["data"][0].get("kind"), None);
    assert_eq!(node.get("/key-auths/wonderland/consumer").json()["username"], "alice");
    let target = node.get("/upstreams/pool/targets").json();
    assert_eq!(target["data"][0]["target"], "127.0.0.1:9102");
    assert_eq!(node.get("/upstreams/pool/targets/all").json()["data"], target["data"]);
}

#[test]
fn the_root_has_what_clients_look_at_a42_m8() {
    let node = Node::serving(KONG);
    let root = node.get("/").json();
    assert_eq!(root["tagline"], "Welcome to kong");
    assert_eq!(root["edition"], "community");
    assert!(root["version"].as_str().unwrap().starts_with("3.9."));
    assert_eq!(root["node_id"], node.control.node_id().to_string());
    assert_eq!(root["pids"]["master"], std::process::id());
    assert!(!root["hostname"].as_str().unwrap().is_empty());
    assert_eq!(root["timers"], json!({ "running": 0, "pending": 0 }));
    let cors = &root["plugins"]["available_on_server"]["cors"];
    assert_eq!(cors["priority"], 2000);
    assert!(cors["version"].is_string());
    assert_eq!(root["plugins"]["enabled_in_cluster"], json!(["cors"]));
    assert_eq!(root["configuration"]["database"], "off");
    assert_eq!(root["configuration"]["router_flavor"], "traditional_compatible");
}

#[test]
fn status_a43() {
    let node = Node::serving(KONG);
    let status = node.get("/status").json();
    assert_eq!(status["configuration_hash"], Hash::of(KONG).to_string());
    assert_eq!(status["configuration_hash"].as_str().unwrap().len(), 32);
    assert!(status["memory"]["workers_lua_vms"].is_array());
    for field in ["accepted", "active", "handled", "reading", "waiting", "writing"] {
        assert!(status["server"][format!("connections_{field}")].is_u64(), "{field} in {status}");
    }
    assert!(status["server"]["total_requests"].is_u64());
    assert_eq!(status.get("database"), None);
}

#[test]
fn status_shows_the_servers_connections() {
    let bound = Server::new(Settings::default()).listen("127.0.0.1:0".parse().unwrap()).bind().unwrap();
    let address = bound.addresses()[0];
    let gateway = Gateway::builder().build().unwrap();
    let serving = gateway.clone();
    let running = bound.start(move |worker| serving.serve(worker)).unwrap();
    let node = Node::of(Control::new(gateway).counters(running.counters().to_vec()));
    let _open = TcpStream::connect(address).unwrap();
    let seen = || node.get("/status").json()["server"]["connections_active"] == 1;
    assert!((0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        seen()
    }));
    assert!(node.get("/metrics").text.contains("gateway_connections_refused_total{cause=\"over_limit\"} 0"));
}

#[test]
fn a_node_is_ready_with_a_configuration_and_until_it_drains() {
    let empty = Node::of(Control::new(Gateway::builder().build().unwrap()));
    let message = "no configuration available (empty configuration present)";
    empty.get("/status/ready").is(503, &json!({ "message": message }));
    assert_eq!(empty.get("/status").json()["configuration_hash"], "0".repeat(32));
    assert_eq!(empty.post("/config", "text/yaml", KONG).status, 201);
    empty.get("/status/ready").is(200, &json!({ "message": "ready" }));
    assert_eq!(
        empty.post("/status/ready", "application/x-www-form-urlencoded", "status=draining").status,
        204
    );
    empty.get("/status/ready").is(503, &json!({ "message": "draining" }));

    let drain = Drain::new();
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()).serving(KONG).drain(drain.clone()));
    assert_eq!(node.get("/status/ready").status, 200);
    drain.begin();
    node.get("/status/ready").is(503, &json!({ "message": "draining" }));
    assert_eq!(node.get("/status").status, 200, "alive while it drains");
}

#[test]
fn enabled_plugins_a44() {
    let mut names = Node::serving(KONG).get("/plugins/enabled").json();
    let names = names["enabled_plugins"].as_array_mut().unwrap();
    // A feature of the core, which other members of the workspace switch on.
    names.retain(|name| name != "compression");
    let all = [
        "canary",
        "circuit-breaker",
        "concurrency-limit",
        "correlation-id",
        "cors",
        "file-log",
        "hedge",
        "http-log",
        "mirror",
        "prometheus",
        "proxy-cache",
        "request-size-limiting",
        "retry",
        "traffic-split",
    ];
    assert_eq!(*names, all);
}

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

#[test]
fn writes_are_refused_a47() {
    let node = Node::serving(KONG);
    let refused = |method: &str, path: &str, message: &str| {
        let message = format!("cannot {message} when not using a database");
        let expected = json!({ "code": 12, "name": "operation unsupported", "message": message });
        node.ask(method, path, "application/json", "{}").is(405, &expected);
    };
    refused("POST", "/services", "create 'services' entities");
    refused("PATCH", "/services/users", "update 'services' entities by 'name'");
    refused("PUT", "/consumers/bob", "create or update 'consumers' entities by 'username'");
    refused("DELETE", "/services/users", "remove 'services' entities by 'name'");
    let id = derived_id("services", "users");
    refused("DELETE", &format!("/services/{id}"), "remove 'services' entities");
    refused("POST", "/services/users/routes", "create 'routes' entities");
    refused("POST", "/consumers/alice/key-auth", "create 'keyauth_credentials' entities");
}

#[test]
fn a_configuration_is_posted_in_every_form_a48() {
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()));
    let yaml = node.post("/config", "text/yaml", KONG);
    assert_eq!(yaml.status, 201, "{}", yaml.text);
    let entities = yaml.json();
    let id = derived_id("services", "users").to_string();
    assert_eq!(entities["services"][&id]["path"], "/base");
    assert_eq!(entities["services"][&id]["tls_verify"], Value::Null);
    assert_eq!(entities["routes"].as_object().unwrap().len(), 1);
    assert_eq!(entities["keyauth_credentials"].as_object().unwrap().len(), 1);
    assert_eq!(entities.get("snis"), None);

    let encoded: String = form_urlencoded::byte_serialize(KONG.as_bytes()).collect();
    let multipart =
        format!("--B\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n{KONG}\r\n--B--\r\n");
    for (kind, body) in [
        ("application/json", json!({ "config": KONG }).to_string()),
        ("application/json", json!({ "_format_version": "3.0", "services": [{ "host": "h" }] }).to_string()),
        ("application/x-www-form-urlencoded", format!("config={encoded}")),
        ("multipart/form-data; boundary=B", multipart),
    ] {
        let answer = node.post("/config", kind, &body);
        assert_eq!(answer.status, 201, "{kind}: {}", answer.text);
    }
    node.post("/config", "text/yaml", ROUTELESS).is(201, &json!({}));
    let missing = json!({ "message": "expected a declarative configuration" });
    node.post("/config", "text/yaml", "").is(400, &missing);
    node.post("/config", "application/json", "").is(400, &missing);
}

#[test]
fn the_same_text_changes_nothing_a48() {
    let node = Node::serving(KONG);
    let answer = node.post("/config?check_hash=1", "text/yaml", KONG);
    assert_eq!((answer.status, answer.text.as_str()), (304, ""));
    assert_eq!(node.post("/config?check_hash=1", "text/yaml", ROUTELESS).status, 201);
    assert_eq!(node.control.loads().outcome().succeeded, 1);
}

#[test]
fn a_posted_configuration_is_served_at_once_a46() {
    let node = Node::serving(ROUTELESS);
    assert_eq!(node.post("/config", "text/yaml", KONG).status, 201);
    assert_eq!(node.control.gateway().snapshot().config().routes.len(), 1);
    assert_eq!(node.get("/routes/users").status, 200);
}

#[test]
fn configurations_posted_at_once_are_taken_one_after_the_other() {
    let node = Node::serving(ROUTELESS);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let node = &node;
            let text = KONG.replace("/users]", &format!("/users-{number}]"));
            scope.spawn(move || {
                let posted = node.post("/config", "text/yaml", &text);
                assert_eq!(posted.status, 201);
                let paths = format!("\\/users-{number}");
                assert!(posted.text.contains(&paths), "each answer is of its own text: {}", posted.text);
            });
        }
    });
    assert_eq!(node.control.loads().outcome().succeeded, 8);
    let shown = node.get("/config").json()["config"].to_string();
    let served = node.control.gateway().snapshot().config().to_yaml();
    let own = (0..8).map(|number| format!("/users-{number}\n")).find(|path| served.contains(path));
    assert!(own.is_some_and(|path| shown.contains(path.trim())), "what is shown is what is served: {shown}");
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let node = Node::serving(KONG);
    let long = " ".repeat((64 << 20) + 1);
    node.post("/config", "text/yaml", &long).is(413, &json!({ "message": "Payload too large" }));
    assert_eq!(node.control.loads().outcome().failed, 0);
}

#[test]
fn a_bad_configuration_is_refused_with_all_reasons_a49() {
    let node = Node::serving(KONG);
    let bad = "_format_version: '3.0'\nservices:\n- name: users\nroutes:\n- name: r\n  paths: [x]\n";
    let answer = node.post("/config", "text/yaml", bad);
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!((&body["code"], &body["name"]), (&json!(14), &json!("invalid declarative configuration")));
    assert!(body["message"].as_str().unwrap().starts_with("declarative config is invalid: {"), "{body}");
    assert_eq!(body["fields"]["services"][0]["host"], "required field missing");
    assert_eq!(
        body["fields"]["routes"][0]["paths"][0],
        "should start with: / (fixed path) or ~/ (regex path)"
    );
    let flat = node.post("/config?flatten_errors=1", "text/yaml", bad).json();
    assert_eq!(flat["fields"], json!({}));
    let errors = flat["flattened_errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{flat}");
    assert!(errors.iter().any(|error| error["entity_type"] == "route" && error["entity_name"] == "r"));
    assert_eq!(node.get("/services/users").status, 200, "what ran before goes on");

    let yaml = node.post("/config", "text/yaml", "a: [").json();
    let error = yaml["fields"]["error"].as_str().unwrap();
    assert!(error.starts_with("failed parsing declarative configuration: "), "{error}");
    let status = node.get("/status").json();
    assert_eq!(status["configuration"]["failed"], 3);
    assert!(status["configuration"]["failure"]["message"].as_str().unwrap().contains("failed parsing"));
    let metrics = node.get("/metrics").text;
    assert!(metrics.contains("gateway_config_reload_total{result=\"failure\"} 3\n"), "{metrics}");
    assert!(metrics.contains("gateway_config_last_reload_successful 0\n"));
}

#[test]
fn the_whole_is_shown_as_yaml_and_can_be_loaded_again_a51() {
    let node = Node::serving(KONG);
    let shown = node.get("/config").json()["config"].as_str().unwrap().to_owned();
    assert!(shown.contains("_format_version"), "{shown}");
    assert_eq!(node.post("/config", "text/yaml", &shown).status, 201);
    assert_eq!(node.get("/config").json()["config"], shown);
}

#[test]
fn secrets_are_shown_as_they_were_written() {
    // Every process has a PATH; what it is stands in no answer.
    let text = format!(
        "{KONG}keys:\n- name: k\n  kid: k\n  pem: {{private_key: '{{vault://env/path}}', public_key: p}}\n"
    );
    let node = Node::serving(&text);
    let path = std::env::var("PATH").unwrap();
    let in_use = node.control.gateway().snapshot();
    let keys: Vec<_> = in_use.config().keys.values().map(|key| json!(key).to_string()).collect();
    assert!(keys.concat().contains(&path), "the gateway has it");
    for place in ["/config", "/keys", "/keys/k"] {
        let text = node.get(place).json().to_string();
        assert!(text.contains("{vault://env/path}") && !text.contains(&path), "{text}");
    }
}

#[test]
fn metrics_p51() {
    let node = Node::serving(&KONG.replace("host: pool", "host: pool\n  routes: [{name: p, paths: [/p]}]"));
    let answer = node.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    for line in [
        "kong_datastore_reachable 1",
        "kong_nginx_requests_total",
        "kong_nginx_connections_total{subsystem=\"http\",state=\"active\"}",
        &format!("kong_node_info{{node_id=\"{}\",version=\"3.9.3\"}} 1", node.control.node_id()),
        "kong_upstream_target_health{upstream=\"pool\",target=\"127.0.0.1:9102\",address=\"127.0.0.1:9102\",\
         state=\"healthchecks_off\",subsystem=\"http\"} 1",
        "gateway_config_reload_total{result=\"success\"} 0",
        "gateway_config_last_success_timestamp_seconds 1",
    ] {
        assert!(answer.text.lines().any(|found| found.starts_with(line)), "{line} in\n{}", answer.text);
    }
}

#[test]
fn schemas_and_their_checks_a40() {
    let node = Node::serving(KONG);
    let service = node.get("/schemas/services").json();
    let field =
        |name: &str| service["fields"].as_array().unwrap().iter().find_map(|field| field.get(name)).cloned();
    assert_eq!(field("retries").unwrap()["default"], 5);
    assert_eq!(field("port").unwrap()["between"], json!([0, 65535]));
    let cors = node.get("/schemas/plugins/cors").json();
    assert!(cors["fields"].as_array().unwrap().iter().any(|field| field["config"]["type"] == "record"));
    assert_eq!(node.get("/schemas/nope").status, 404);
    let absent = json!({ "message": "No plugin named 'nope'" });
    node.get("/schemas/plugins/nope").is(404, &absent);
    // The older path has the fields of `config` alone.
    let config = cors["fields"].as_array().unwrap().iter().find_map(|field| field.get("config")).unwrap();
    node.get("/plugins/schema/cors").is(200, &json!({ "fields": config["fields"] }));
    node.get("/plugins/schema/nope").is(404, &absent);
    assert_eq!(node.post("/plugins/schema/cors", "application/json", "{}").status, 405);

    let valid = json!({ "message": "schema validation successful" });
    node.post("/schemas/services/validate", "application/json", r#"{"host":"h"}"#).is(200, &valid);
    node.post("/schemas/plugins/validate", "application/json", r#"{"name":"cors"}"#).is(200, &valid);
    let refused = node.post("/schemas/services/validate", "application/json", r#"{"port":70000,"bogus":1}"#);
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    assert_eq!(refused["code"], 2);
    assert_eq!(
        refused["message"],
        "3 schema violations (bogus: unknown field; host: required field missing; \
         port: value should be between 0 and 65535)"
    );
    assert_eq!(refused["fields"]["host"], "required field missing");
}

#[test]
fn routes_of_the_flavour_expressions_show_its_fields_a4_a39() {
    let text = r#"
_format_version: "3.0"
routes:
- name: plain
  paths: [/]
- name: one
  expression: http.path == "/"
  priority: 7
"#;
    let mut settings = gateway_core::Settings::default();
    settings.router_flavor = Flavor::Expressions;
    let config = Config::parse(text, &plugins::bundled()).unwrap();
    let gateway = Gateway::builder().config(config).settings(settings).build().unwrap();
    let node = Node::of(Control::new(gateway).serving(text));

    let fields = |route: &Value| (route["expression"].clone(), route["priority"].clone());
    assert_eq!(fields(&node.get("/routes/plain").json()), (Value::Null, json!(0)));
    assert_eq!(fields(&node.get("/routes/one").json()), (json!("http.path == \"/\""), json!(7)));
    let all = node.get("/routes").json();
    assert!(all["data"].as_array().unwrap().iter().all(|route| route.get("expression").is_some()));
    let schema = node.get("/schemas/routes").json();
    let fields = schema["fields"].as_array().unwrap();
    let priority = fields.iter().find_map(|field| field.get("priority")).unwrap();
    assert_eq!((&priority["required"], &priority["default"]), (&json!(true), &json!(0)));
    assert_eq!(priority["between"], json!([0, 70_368_744_177_663_u64]));

    let check = |body: &Value| node.post("/schemas/routes/validate", "application/json", &body.to_string());
    assert_eq!(
        check(
            &json!({ "expression": "http.path == \"/\"", "service": { "id": derived_id("services", "s") } })
        )
        .status,
        200
    );
    let refused = check(&json!({ "expression": "foo == 1" }));
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    let message = refused["fields"]["@entity"][0].as_str().unwrap();
    assert!(
        message.starts_with("Router Expression failed validation: Unknown LHS field\n --> 1:1\n"),
        "{message}"
    );
    assert_eq!(refused["message"], format!("schema violation ({message})"));
}

#[test]
fn other_flavours_do_not_show_the_fields_of_expressions_a4() {
    let node = Node::serving(KONG);
    let route = node.get("/routes/users").json();
    assert!(route.get("expression").is_none() && route.get("priority").is_none(), "{route}");
}
