//! A file of some sixty entities, as it stands: served, each request by its route.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use kit::{Gateway, ask};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../gateway-core/tests/data/kong.yml");

#[test]
fn a_feature_rich_file_runs_unchanged() {
    let gateway = Gateway::start(&[SHOP, "--allow-debug-header", "--access-log", "off"]);
    let counts = ["services", "routes", "plugins"].map(|kind| gateway.ready[kind].as_u64().unwrap());
    assert_eq!(counts, [7, 16, 5]);
    // What counts is whom each request was for: whether somebody listens there is the machine's matter.
    for (host, field, path, route) in [
        ("a", ("x-a", "1"), "/users", "users"),
        ("a", ("x-a", "1"), "/users/42", "user-by-id"),
        ("a", ("x-a", "1"), "/members/42", "user-by-id"),
        ("x.admin.shop.example", ("x-role", "root"), "/users", "users-admin"),
        ("x.admin.shop.example", ("x-role", "none"), "/users", "users"),
        ("a", ("x-beta", "TRUE"), "/carts/1", "carts-beta"),
        ("a", ("x-beta", "no"), "/carts/1", "carts"),
        ("a", ("x-a", "1"), "/suggest/abc", "suggest"),
        ("a", ("x-a", "1"), "/health", "health"),
        ("find.shop.example", ("x-a", "1"), "/any", "host-only"),
        ("search.example", ("x-a", "1"), "/any", "by-port"),
        ("a", ("x-a", "1"), "/nowhere", "no-service"),
    ] {
        let answer = raw(&gateway, host, field, path);
        assert!(answer.contains(&format!("\r\nkong-route-name: {route}\r\n")), "{host} {path}: {answer}");
    }
    assert!(raw(&gateway, "a", ("x-a", "1"), "/payments/1").starts_with("HTTP/1.1 426 "));
    assert!(raw(&gateway, "a", ("x-a", "1"), "/legacy").starts_with("HTTP/1.1 404 "));
    let told = ask(gateway.admin(), "GET", "/config", &[], "").unwrap();
    assert!(told.status == 200 && told.text.contains("carts-beta"), "{}", told.text);
}

/// The metrics of Kong (compat O1).
const KONGS: [&str; 13] = [
    "kong_bandwidth_bytes",
    "kong_datastore_reachable",
    "kong_http_requests_total",
    "kong_kong_latency_ms",
    "kong_memory_lua_shared_dict_bytes",
    "kong_memory_lua_shared_dict_total_bytes",
    "kong_memory_workers_lua_vms_bytes",
    "kong_nginx_connections_total",
    "kong_nginx_requests_total",
    "kong_node_info",
    "kong_request_latency_ms",
    "kong_upstream_latency_ms",
    "kong_upstream_target_health",
];

#[test]
fn o5_metrics_that_kong_lacks_say_whose_they_are() {
    let gateway = Gateway::start(&[SHOP, "--access-log", "off"]);
    raw(&gateway, "a", ("x-a", "1"), "/users");
    let text = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    let names: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 10, "{text}");
    let others: Vec<_> =
        names.iter().filter(|name| !name.starts_with("gateway_") && !KONGS.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn o2_nothing_is_told_of_roles_that_there_are_not() {
    let gateway = Gateway::start(&[SHOP, "--access-log", "off"]);
    raw(&gateway, "a", ("x-a", "1"), "/users");
    let text = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    assert!(text.contains("kong_node_info{"), "{text}");
    for name in ["data_plane_", "control_plane_", "stream_sessions_", "session_duration_"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
}

/// The head of the answer to one request.
fn raw(gateway: &Gateway, host: &str, (name, value): (&str, &str), path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\n{name}: {value}\r\nkong-debug: 1\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
