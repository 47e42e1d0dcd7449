//! The OpenAPI document, against what is answered.

use serde_json::json;

use crate::kit::{Answer, Node};

#[test]
fn the_methods_that_are_allowed_are_those_of_the_document() {
    let node = Node::stored();
    let document = node.get("/openapi.json").json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let asked = ["{key}", "{owner}", "{revision}", "{address}"]
            .iter()
            .fold(path.clone(), |path, at| path.replace(at, "1"));
        let allow = node.ask("OPTIONS", &asked, "", "").header("allow").unwrap().to_lowercase();
        let allowed = allow.split(", ").filter(|method| !matches!(*method, "head" | "options"));
        let mut known: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(allowed.collect::<Vec<_>>(), known, "{path}");
    }
}

#[test]
fn every_refusal_is_json() {
    let node = Node::stored();
    let is_json = |answer: &Answer, status: u16, of: &str| {
        let kind = answer.header("content-type").map(str::to_owned);
        assert_eq!(
            (answer.status, kind.as_deref()),
            (status, Some("application/json; charset=utf-8")),
            "{of}"
        );
        assert!(answer.json()["message"].is_string(), "{of}");
    };
    for (method, path) in [
        ("GET", "/history/-1"),
        ("GET", "/history/x"),
        ("GET", "/history/99999999999999999999"),
        ("POST", "/rollback/-1"),
        ("POST", "/rollback/1.5"),
        ("GET", "/services/%ff"),
        ("GET", "/services/%ff/routes"),
        ("GET", "/consumers/%ff/consumer_groups"),
        ("GET", "/tags/%ff"),
        ("GET", "/schemas/%ff"),
        ("GET", "/schemas/plugins/%ff"),
        ("GET", "/upstreams/%ff/health"),
        ("PUT", "/upstreams/%ff/targets/a/healthy"),
        ("PUT", "/debug/node/log-level/%ff"),
        ("DELETE", "/services/%ff"),
    ] {
        is_json(&node.ask(method, path, "application/json", ""), 404, path);
    }
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(3 << 20));
    for path in ["/explain", "/schemas/services/validate", "/schemas/plugins/validate", "/status/ready"] {
        is_json(&node.ask("POST", path, "application/json", &long), 413, path);
    }
}

#[test]
fn the_document_describes_every_list_and_all_that_it_refers_to() {
    let node = Node::stored();
    let document = node.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    for path in
        ["/services", "/services/{key}", "/services/{owner}/routes", "/routes/{key}/service", "/batch"]
    {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert_eq!(document["components"]["schemas"]["services"]["properties"]["port"]["maximum"], 65535);
    let table = |name: &str| &document["components"]["schemas"][name]["properties"];
    assert_eq!(table("services")["path"]["type"], json!(["string", "null"]), "null is absence");
    assert_eq!(table("services")["port"]["type"], "integer", "but not where something must be");
    for (kind, field) in
        [("services", "host"), ("routes", "name"), ("upstreams", "name"), ("targets", "target")]
    {
        assert!(table(kind)[field]["pattern"].is_string(), "{kind}.{field}");
    }
    let asked = |method: &str, path: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"].to_string()
    };
    assert!(asked("post", "/services").contains("schemas/services\""));
    assert!(asked("put", "/services/{key}").contains("schemas/services\""), "the key is no host");
    let credential = asked("post", "/consumers/{owner}/basic-auth");
    assert!(credential.contains("password") && !credential.contains("consumer"), "the path says whose it is");
    let credential = asked("put", "/consumers/{owner}/basic-auth/{key}");
    assert!(credential.contains("password") && !credential.contains("username"), "and which");
    let batch = &document["paths"]["/batch"]["post"]["requestBody"]["content"];
    assert_eq!(batch.as_object().unwrap().keys().collect::<Vec<_>>(), ["application/json"]);
    let text = document.to_string();
    let mut references = 0;
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 100);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let parameter = json!({ "$ref": format!("#/components/parameters/{name}") });
                assert!(named.contains(&parameter), "{method} {path}: {name}");
            }
        }
    }
}

#[test]
fn the_document_knows_every_status_that_is_answered() {
    let node = Node::stored();
    for (path, body) in [
        ("/services", json!({ "name": "a", "host": "h" })),
        ("/services/a/routes", json!({ "name": "a", "paths": ["/a"] })),
        ("/upstreams", json!({ "name": "a" })),
        ("/consumers", json!({ "username": "a" })),
        ("/key-sets", json!({ "name": "a" })),
        ("/consumer_groups", json!({ "name": "a" })),
    ] {
        node.made(201, "POST", path, &body);
    }
    let document = node.get("/openapi.json").json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let known = operation["responses"].as_object().unwrap();
            // The one never ends, the other takes away what is asked for.
            if matches!((path.as_str(), method.as_str()), ("/changes", _) | ("/config", "post")) {
                continue;
            }
            for name in ["a", "none", "7"] {
                let names = ["{key}", "{owner}", "{revision}", "{address}"];
                let path = names.iter().fold(path.clone(), |path, place| path.replace(place, name));
                for (kind, body) in [
                    ("application/json", "{}"),
                    ("application/json", "{\"host\":\"h\",\"name\":\"b\",\"port\":\"x\"}"),
                    ("application/json", "["),
                    ("application/x-www-form-urlencoded", "name=a&host=h&paths[]=/b"),
                    ("text/plain", "x"),
                ] {
                    for query in ["", "?dry_run=1"] {
                        let answer = node.ask(&method.to_uppercase(), &format!("{path}{query}"), kind, body);
                        let status = answer.status.to_string();
                        assert!(
                            known.contains_key(&status),
                            "{method} {path} {body}: {status} {}",
                            answer.text
                        );
                        asked += 1;
                    }
                }
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
}
