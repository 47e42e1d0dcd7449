//! What is told of the node: the form of every reply, `/`, `/status`, `/metrics`.

use std::net::TcpStream;

use gateway_control::{Control, Hash};
use gateway_core::{
    Gateway,
    server::{Drain, Server, Settings},
};
use serde_json::{Value, json};

use crate::kit::{KONG, Node};

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
    assert_eq!(status["plugins"], json!({ "quarantined": [] }));
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
