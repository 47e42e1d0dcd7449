//! The whole configuration at once: posted, tried, refused, shown.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use gateway_control::Control;
use gateway_core::{Gateway, config::derived_id};
use serde_json::{Value, json};

use crate::{
    ROUTELESS,
    kit::{KONG, Node},
};

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
