//! How numbers and times are written: Kong's clients take a whole number into an integer, and `0.0` is none to them.

use serde_json::{Value, json};

use crate::kit::Node;

/// The parts of an answer that are whole numbers with a fraction.
fn fractions(text: &str) -> Vec<String> {
    let words = text.split(|char: char| !(char.is_ascii_digit() || char == '.'));
    let numbers = words.filter(|word| word.matches('.').count() == 1);
    numbers.filter(|word| word.ends_with(".0")).map(str::to_owned).collect()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(fractions(text).is_empty(), "{:?} in {text}", fractions(text));
}

fn upstream(threshold: &str, timeout: &str, interval: &str) -> String {
    format!(
        r#"{{"name":"up","healthchecks":{{"threshold":{threshold},"active":{{"timeout":{timeout},"healthy":{{"interval":{interval}}}}}}}}}"#
    )
}

const JSON: &str = "application/json";

#[test]
fn a_whole_number_is_written_without_a_fraction_everywhere_a5() {
    let node = Node::stored();
    let made = node.post("/upstreams", JSON, &upstream("55.0", "0.5", "3.0"));
    assert_eq!(made.status, 201, "{}", made.text);
    let parts = [r#""threshold":55,"#, r#""timeout":0.5,"#, r#""interval":3,"#, r#""interval":0,"#];
    has(&made.text, &parts);
    for path in ["/upstreams/up", "/upstreams"] {
        has(&node.get(path).text, &parts);
    }
    let target = r#"{"target":"10.0.0.1:80","created_at":1795307250.0}"#;
    let target = node.post("/upstreams/up/targets", JSON, target);
    has(&target.text, &[r#""created_at":1795307250,"#]);
    let fraction = r#"{"target":"10.0.0.2:80","created_at":1795307250.666}"#;
    has(&node.post("/upstreams/up/targets", JSON, fraction).text, &[r#""created_at":1795307250.666,"#]);
    for path in ["/upstreams/up/targets", "/upstreams/up/targets/all"] {
        has(&node.get(path).text, &[r#""created_at":1795307250.666,"#, r#""created_at":1795307250,"#]);
    }
    let plugin = r#"{"name":"http-log","config":{"http_endpoint":"http://a.t/","flush_timeout":2.0}}"#;
    has(&node.post("/plugins", JSON, plugin).text, &[r#""flush_timeout":2,"#]);

    node.made(200, "PATCH", "/upstreams/up", &json!({ "healthchecks": { "threshold": 60.0 } }));
    has(&node.get("/history/5").text, &["\"threshold\":55,", "\"threshold\":60,"]);
    let shown = node.get("/config").json();
    let text = shown["config"].as_str().unwrap().trim_start_matches("_format_version: \"3.0\"\n");
    has(text, &["threshold: 60\n", "timeout: 0.5\n", "interval: 3\n"]);
    has(&node.post("/config?dry_run=1", "text/yaml", &node.control.config().to_yaml()).text, &[]);
    let loaded = node.post("/config", "text/yaml", &node.control.config().to_yaml());
    has(&loaded.text, &["\"threshold\":60,", "\"created_at\":1795307250,"]);
    assert_eq!(loaded.header("gateway-revision"), Some("5"), "it round-trips");
}

#[test]
fn schemas_have_whole_defaults_and_bounds() {
    let node = Node::stored();
    for (path, parts) in [
        ("/schemas/upstreams", &[r#""default":1,"#, r#""between":[0,65535]"#][..]),
        ("/schemas/plugins/http-log", &[]),
        ("/schemas/plugins/proxy-cache", &[r#""gt":0"#]),
        ("/openapi.json", &[]),
    ] {
        let answer = node.get(path);
        assert_eq!(answer.status, 200, "{path}");
        has(&answer.text, parts);
    }
}

#[test]
fn one_and_one_with_a_fraction_are_the_same() {
    let node = Node::stored();
    let made = node.post("/upstreams", JSON, &upstream("1", "2", "3"));
    assert_eq!(made.status, 201, "{}", made.text);
    let text = node.control.config().to_yaml();
    assert!(text.contains("threshold: 1\n") && text.contains("timeout: 2\n"), "{text}");
    let other = text.replace("threshold: 1\n", "threshold: 1.0\n").replace("timeout: 2\n", "timeout: 2.0\n");
    assert_eq!(node.post("/config?check_hash=1", "text/yaml", &other).status, 304);
    let tried = node.post("/config?dry_run=1", "text/yaml", &other).json();
    assert_eq!(tried["differences"], json!([]));
    assert_eq!(node.control.revision().unwrap().get(), 1);

    // A plugin's own fields are kept as they are read; they are read so, too.
    let plugin = |seconds: &str| {
        let config = format!(r#"{{"http_endpoint":"http://a.t/","flush_timeout":{seconds}}}"#);
        let body = format!(r#"{{"name":"http-log","created_at":7,"config":{config}}}"#);
        let path = "/plugins/00000000-0000-4000-8000-000000000001";
        let answer = node.ask("PUT", path, JSON, &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        node.get(path)
    };
    let (whole, fraction) = (plugin("2"), plugin("2.0"));
    let timeless = |answer: &crate::kit::Answer| {
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("updated_at");
        body.to_string()
    };
    assert_eq!(timeless(&whole), timeless(&fraction));
    if whole.json()["updated_at"] == fraction.json()["updated_at"] {
        assert_eq!(whole.header("etag"), fraction.header("etag"));
    }
}

#[test]
fn ids_and_times_have_no_defaults_in_schemas() {
    let node = Node::stored();
    let kinds =
        ["services", "routes", "consumers", "plugins", "upstreams", "certificates", "keyauth_credentials"];
    for kind in kinds {
        let schema = node.get(&format!("/schemas/{kind}")).json();
        let field = |name: &str| {
            schema["fields"].as_array().unwrap().iter().find_map(|field| field.get(name)).cloned()
        };
        assert_eq!(field("id").unwrap(), json!({ "type": "string", "uuid": true, "auto": true }), "{kind}");
        let time = json!({ "type": "integer", "timestamp": true, "auto": true });
        assert_eq!(field("created_at").unwrap(), time, "{kind}");
        assert!(field("updated_at").is_none_or(|field| field == time), "{kind}");
    }
    let targets = node.get("/schemas/targets").json();
    let time = json!({ "created_at": { "type": "number", "timestamp": true, "auto": true } });
    assert!(targets["fields"].as_array().unwrap().contains(&time), "{targets}");
}

#[test]
fn a_time_that_is_not_known_is_now() {
    let node = Node::stored();
    let made = node.made(201, "POST", "/services", &json!({ "host": "h", "created_at": 0, "updated_at": 0 }));
    assert!(made["created_at"].as_u64().unwrap() > 1_700_000_000, "{made}");
    let made = node.made(201, "POST", "/services", &json!({ "host": "h", "created_at": 7 }));
    assert_eq!(made["created_at"], 7);
}

#[test]
fn an_export_fills_an_empty_store_with_the_same_times() {
    let node = Node::stored();
    node.made(201, "POST", "/upstreams", &json!({ "name": "up", "created_at": 1_700_000_001 }));
    let target = json!({ "target": "10.0.0.1:80", "created_at": 1_700_000_002.5 });
    node.made(201, "POST", "/upstreams/up/targets", &target);
    node.made(201, "POST", "/consumers", &json!({ "username": "alice", "created_at": 1_700_000_003 }));
    let key = json!({ "key": "k", "created_at": 1_700_000_004 });
    node.made(201, "POST", "/consumers/alice/key-auth", &key);
    node.made(201, "POST", "/plugins", &json!({ "name": "cors", "created_at": 1_700_000_005 }));
    let exported = node.control.config();
    for text in [exported.to_yaml(), exported.to_value().to_string()] {
        let other = Node::stored();
        assert_eq!(other.post("/config", "text/yaml", &text).status, 201);
        assert_eq!(other.control.config().to_value(), exported.to_value());
    }
    let times: Vec<Value> = ["upstreams", "targets", "consumers", "keyauth_credentials", "plugins"]
        .map(|list| exported.to_value()[list][0]["created_at"].clone())
        .into();
    let wanted = "[1700000001,1700000002.5,1700000003,1700000004,1700000005]";
    assert_eq!(json!(times).to_string(), wanted);
}
