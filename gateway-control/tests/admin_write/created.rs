//! What is created, replaced, changed and taken away, and how it is shown.

use serde_json::{Value, json};

use crate::kit::Node;

/// The same without what differs each time, which must be there.
#[track_caller]
fn timeless(mut entity: Value) -> Value {
    let fields = entity.as_object_mut().unwrap();
    let id = fields.remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().as_bytes()[14], b'4', "a random id: {id}");
    for name in ["created_at", "updated_at"] {
        if let Some(time) = fields.remove(name) {
            assert!(time.as_f64().unwrap() > 1_700_000_000.0, "{name}: {time}");
        }
    }
    entity
}

#[test]
fn a_service_gets_its_defaults_a1() {
    let node = Node::stored();
    let service = node.made(201, "POST", "/services", &json!({ "name": "s1", "host": "up1" }));
    assert!(service["created_at"].is_u64() && service["updated_at"].is_u64(), "whole seconds: {service}");
    let expected = json!({
        "name": "s1", "host": "up1", "port": 80, "protocol": "http", "path": null, "retries": 5,
        "connect_timeout": 60000, "read_timeout": 60000, "write_timeout": 60000, "enabled": true, "tags": null,
        "client_certificate": null, "tls_verify": null, "tls_verify_depth": null, "ca_certificates": null,
    });
    assert_eq!(timeless(service.clone()), expected);
    node.get("/services/s1").is(200, &service);
    let by_id = format!("/services/{}", service["id"].as_str().unwrap());
    node.get(&by_id).is(200, &service);
    assert_eq!(node.control.gateway().snapshot().config().services.len(), 1, "it is served by");
}

#[test]
fn a_url_is_split_a2() {
    let node = Node::stored();
    let url = json!({ "name": "s2", "url": "http://127.0.0.1:9101/base" });
    let service = node.made(201, "POST", "/services", &url);
    let parts = |service: &Value| ["protocol", "host", "port", "path"].map(|part| service[part].clone());
    assert_eq!(parts(&service), [json!("http"), json!("127.0.0.1"), json!(9101), json!("/base")]);
    assert_eq!(service.get("url"), None);
    let service = node.made(200, "PATCH", "/services/s2", &json!({ "url": "https://u.example/p" }));
    assert_eq!(parts(&service), [json!("https"), json!("u.example"), json!(443), json!("/p")]);
}

#[test]
fn a_route_below_its_service_a4() {
    let node = Node::stored();
    let service = node.made(201, "POST", "/services", &json!({ "name": "s1", "host": "h" }));
    let route = node.made(201, "POST", "/services/s1/routes", &json!({ "name": "r1", "paths": ["/r1"] }));
    let expected = json!({
        "name": "r1", "paths": ["/r1"], "hosts": null, "methods": null, "headers": null, "snis": null,
        "sources": null, "destinations": null, "protocols": ["http", "https"], "https_redirect_status_code": 426,
        "regex_priority": 0, "strip_path": true, "path_handling": "v0", "preserve_host": false,
        "request_buffering": true, "response_buffering": true, "service": { "id": service["id"] }, "tags": null,
    });
    assert_eq!(timeless(route), expected);
    for reference in [json!({ "id": service["id"] }), json!({ "name": "s1" })] {
        let route = node.made(201, "POST", "/routes", &json!({ "paths": ["/x"], "service": reference }));
        assert_eq!(route["service"], json!({ "id": service["id"] }));
        assert_eq!(route["name"], Value::Null);
    }
    assert_eq!(node.get("/services/s1/routes").json()["data"].as_array().unwrap().len(), 3);
}

#[test]
fn an_upstream_and_its_targets_a5_a6() {
    let node = Node::stored();
    let upstream = node.made(201, "POST", "/upstreams", &json!({ "name": "up1" }));
    let passive: Vec<u16> = (200..=208).chain([226]).chain(300..=308).collect();
    let expected = json!({
        "name": "up1", "algorithm": "round-robin", "slots": 10000, "hash_on": "none", "hash_fallback": "none",
        "hash_on_header": null, "hash_fallback_header": null, "hash_on_cookie": null, "hash_on_cookie_path": "/",
        "hash_on_query_arg": null, "hash_fallback_query_arg": null, "hash_on_uri_capture": null,
        "hash_fallback_uri_capture": null, "host_header": null, "client_certificate": null, "use_srv_name": false,
        "tags": null,
        "healthchecks": {
            "threshold": 0,
            "active": {
                "type": "http", "http_path": "/", "timeout": 1, "concurrency": 10, "headers": null,
                "https_sni": null, "https_verify_certificate": true,
                "healthy": { "interval": 0, "successes": 0, "http_statuses": [200, 302] },
                "unhealthy": {
                    "interval": 0, "http_failures": 0, "tcp_failures": 0, "timeouts": 0,
                    "http_statuses": [429, 404, 500, 501, 502, 503, 504, 505],
                },
            },
            "passive": {
                "type": "http", "healthy": { "successes": 0, "http_statuses": passive },
                "unhealthy": { "http_failures": 0, "tcp_failures": 0, "timeouts": 0, "http_statuses": [429, 500, 503] },
            },
        },
    });
    assert_eq!(timeless(upstream.clone()), expected);

    let target = node.made(201, "POST", "/upstreams/up1/targets", &json!({ "target": "127.0.0.1:9101" }));
    assert!(target["created_at"].is_number(), "{target}");
    let expected = json!({
        "target": "127.0.0.1:9101", "weight": 100, "upstream": { "id": upstream["id"] }, "tags": null,
    });
    assert_eq!(timeless(target), expected);
    // In another millisecond.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let target = node.made(201, "POST", "/upstreams/up1/targets", &json!({ "target": "a.t" }));
    assert_eq!(target["target"], "a.t:8000");
    let named = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|row| row["target"].clone()).collect::<Vec<_>>()
    };
    let first = node.get("/upstreams/up1/targets?size=1").json();
    assert_eq!(named(&first), ["a.t:8000"], "newest first");
    let second = node.get(first["next"].as_str().unwrap()).json();
    assert_eq!((named(&second), &second["next"]), (vec![json!("127.0.0.1:9101")], &Value::Null));
    assert_eq!(named(&node.get("/upstreams/up1/health").json()), ["a.t:8000", "127.0.0.1:9101"]);
    let twice = node.send("POST", "/upstreams/up1/targets", &json!({ "target": "a.t:8000" }));
    assert_eq!(twice.status, 409);
    let fields = json!({ "target": "a.t:8000", "upstream": { "id": upstream["id"] } });
    assert_eq!(twice.json()["fields"], fields);
    node.made(201, "POST", "/upstreams", &json!({ "name": "up2" }));
    node.made(201, "POST", "/upstreams/up2/targets", &json!({ "target": "a.t:8000" }));
    let own = node.get("/upstreams/up2/targets/a.t:8000").json();
    assert_ne!(own["upstream"]["id"], upstream["id"], "each upstream has its own");
}

#[test]
fn a_consumer_and_its_credentials_a7_a8() {
    let node = Node::stored();
    let alice = node.made(201, "POST", "/consumers", &json!({ "username": "alice", "custom_id": "c-1" }));
    assert_eq!(timeless(alice.clone()), json!({ "username": "alice", "custom_id": "c-1", "tags": null }));
    let whose = json!({ "id": alice["id"] });

    let mut key = timeless(node.made(201, "POST", "/consumers/alice/key-auth", &json!({})));
    let secret = |value: Value| {
        let text = value.as_str().unwrap();
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    };
    secret(key["key"].take());
    assert_eq!(key, json!({ "key": null, "consumer": whose, "ttl": null, "tags": null }));
    let key = node.made(201, "POST", "/consumers/alice/key-auth", &json!({ "key": "own" }));
    assert_eq!(key.get("updated_at"), None);
    assert_eq!(node.get("/consumers/alice/key-auth/own").json(), key);
    assert_eq!(node.get("/key-auths/own").json(), key);

    let acl = timeless(node.made(201, "POST", "/consumers/alice/acls", &json!({ "group": "g" })));
    assert_eq!(acl, json!({ "group": "g", "consumer": whose, "tags": null }));
    assert_eq!(node.get("/consumers/alice/acls/g").status, 200);

    let basic = json!({ "username": "al", "password": "pass word" });
    let basic = node.made(201, "POST", "/consumers/alice/basic-auth", &basic);
    let kept = basic["password"].as_str().unwrap().to_owned();
    assert!(kept.len() == 40 && kept.bytes().all(|byte| byte.is_ascii_hexdigit()), "SHA-1: {kept}");
    let id = basic["id"].as_str().unwrap();
    let path = format!("/consumers/alice/basic-auth/{id}");
    let same = node.made(200, "PATCH", &path, &json!({ "tags": ["x"] }));
    assert_eq!(same["password"], kept.as_str(), "it is not hashed again");
    let other = node.made(200, "PATCH", &path, &json!({ "password": "other" }));
    assert_ne!(other["password"], kept.as_str());

    let mut jwt = timeless(node.made(201, "POST", "/consumers/alice/jwt", &json!({})));
    secret(jwt["key"].take());
    secret(jwt["secret"].take());
    let expected = json!({
        "key": null, "secret": null, "algorithm": "HS256", "rsa_public_key": null, "consumer": whose, "tags": null,
    });
    assert_eq!(jwt, expected);
    node.get("/consumers?custom_id=c-1").is(200, &json!({ "data": [alice], "next": null }));
    node.get("/consumers?custom_id=nobody").is(200, &json!({ "data": [], "next": null }));
}

#[test]
fn a_plugin_in_its_scopes_a9() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s1", "host": "h" }));
    let route = node.made(201, "POST", "/services/s1/routes", &json!({ "name": "r1", "paths": ["/r1"] }));
    let plugin =
        node.made(201, "POST", "/plugins", &json!({ "name": "cors", "route": { "id": route["id"] } }));
    let expected = json!({
        "name": "cors", "instance_name": null, "enabled": true, "protocols": ["grpc", "grpcs", "http", "https"],
        "consumer": null, "route": { "id": route["id"] }, "service": null, "tags": null,
        "config": {
            "origins": null, "headers": null, "exposed_headers": null, "max_age": null, "credentials": false,
            "preflight_continue": false, "private_network": false,
            "methods": ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"],
        },
    });
    assert_eq!(timeless(plugin), expected);
    let on_service = node.made(201, "POST", "/services/s1/plugins", &json!({ "name": "cors" }));
    assert_eq!((&on_service["route"], on_service["service"].is_object()), (&Value::Null, true));
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    let on_consumer =
        node.made(201, "POST", "/consumers/alice/plugins", &json!({ "name": "correlation-id" }));
    assert!(on_consumer["consumer"]["id"].is_string());
}

#[test]
fn bare_plugins_get_their_defaults_a10() {
    let node = Node::stored();
    let defaults = [
        (
            "correlation-id",
            json!({}),
            json!({ "header_name": "Kong-Request-ID", "generator": "uuid#counter", "echo_downstream": false }),
        ),
        (
            "request-size-limiting",
            json!({}),
            json!({ "allowed_payload_size": 128, "size_unit": "megabytes", "require_content_length": false }),
        ),
        (
            "proxy-cache",
            json!({ "strategy": "memory" }),
            json!({
                "strategy": "memory", "cache_ttl": 300, "storage_ttl": null, "cache_control": false,
                "request_method": ["GET", "HEAD"], "response_code": [200, 301, 404],
                "content_type": ["text/plain", "application/json"],
                "memory": { "dictionary_name": "kong_db_cache" }, "vary_headers": null,
                "vary_query_params": null, "ignore_uri_case": false,
                "response_headers": { "age": true, "X-Cache-Key": true, "X-Cache-Status": true },
            }),
        ),
    ];
    for (name, config, expected) in defaults {
        let plugin = node.made(201, "POST", "/plugins", &json!({ "name": name, "config": config }));
        assert_eq!(plugin["config"], expected, "{name}");
    }
    for name in ["proxy-cache", "http-log", "file-log"] {
        assert_eq!(
            node.send("POST", "/plugins", &json!({ "name": name })).status,
            400,
            "{name} needs a field"
        );
    }
    let log = json!({ "name": "http-log", "config": { "http_endpoint": "http://127.0.0.1:1/" } });
    let log = node.made(201, "POST", "/plugins", &log);
    let config = &log["config"];
    assert_eq!(
        (&config["method"], &config["timeout"], &config["keepalive"]),
        (&json!("POST"), &json!(10000), &json!(60000))
    );
    assert_eq!(config["queue"]["max_batch_size"], 1);
    let metrics = node.made(201, "POST", "/plugins", &json!({ "name": "prometheus" }));
    assert!(metrics["config"].as_object().unwrap().values().all(|value| *value == json!(false)), "{metrics}");
}

#[test]
fn put_creates_and_replaces_a41() {
    let node = Node::stored();
    let made = node.made(200, "PUT", "/services/s1", &json!({ "host": "h", "port": 81, "tags": ["a"] }));
    assert_eq!((&made["name"], &made["port"]), (&json!("s1"), &json!(81)));
    let again = node.made(200, "PUT", "/services/s1", &json!({ "host": "i" }));
    assert_eq!(again["id"], made["id"]);
    assert_eq!(again["created_at"], made["created_at"]);
    assert_eq!((&again["host"], &again["port"], &again["tags"]), (&json!("i"), &json!(80), &Value::Null));
    let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
    let by_id = node.made(200, "PUT", &format!("/services/{id}"), &json!({ "host": "h" }));
    assert_eq!((&by_id["id"], &by_id["name"]), (&json!(id), &Value::Null));
    let refused = node.send("PUT", "/services/s3", &json!({}));
    assert_eq!(
        (refused.status, &refused.json()["fields"]),
        (400, &json!({ "host": "required field missing" }))
    );
    node.made(200, "PUT", "/services/s1/routes/r1", &json!({ "paths": ["/a"] }));
    assert_eq!(node.get("/routes/r1/service").json()["id"], made["id"]);
    node.made(200, "PUT", "/consumers/bob", &json!({}));
    assert_eq!(node.made(200, "PUT", "/consumers/bob/key-auth/k", &json!({}))["key"], "k");
    node.made(200, "PUT", "/upstreams/u", &json!({}));
    let target = node.made(200, "PUT", "/upstreams/u/targets/10.0.0.1:80", &json!({ "weight": 5 }));
    let again = node.made(200, "PUT", "/upstreams/u/targets/10.0.0.1:80", &json!({ "weight": 6 }));
    assert_eq!((&again["id"], &again["weight"]), (&target["id"], &json!(6)));
}

#[test]
fn patch_merges_records_and_takes_lists_whole() {
    let node = Node::stored();
    let active = json!({ "active": { "timeout": 3, "healthy": { "successes": 2 } } });
    node.made(201, "POST", "/upstreams", &json!({ "name": "u", "healthchecks": active, "tags": ["a", "b"] }));
    let patch = json!({ "healthchecks": { "active": { "healthy": { "interval": 4 } } }, "tags": ["c"] });
    let patched = node.made(200, "PATCH", "/upstreams/u", &patch);
    let active = &patched["healthchecks"]["active"];
    assert_eq!(active["timeout"].as_f64(), Some(3.0));
    assert_eq!(
        (&active["healthy"]["successes"], active["healthy"]["interval"].as_f64()),
        (&json!(2), Some(4.0))
    );
    assert_eq!(patched["tags"], json!(["c"]));

    let cors = json!({ "name": "cors", "config": { "origins": ["*"], "max_age": 5 } });
    let cors = node.made(201, "POST", "/plugins", &cors);
    let path = format!("/plugins/{}", cors["id"].as_str().unwrap());
    let patched = node.made(200, "PATCH", &path, &json!({ "config": { "max_age": 6 }, "enabled": false }));
    assert_eq!((&patched["config"]["origins"], &patched["config"]["max_age"]), (&json!(["*"]), &json!(6)));
    assert_eq!(patched["enabled"], false);
    let patched = node.made(200, "PATCH", &path, &json!({ "config": { "origins": null } }));
    assert_eq!((&patched["config"]["origins"], &patched["config"]["max_age"]), (&Value::Null, &json!(6)));

    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h", "path": "/p" }));
    let patched = node.made(200, "PATCH", "/services/s", &json!({ "path": null, "name": "t" }));
    assert_eq!((&patched["path"], &patched["name"]), (&Value::Null, &json!("t")));
    assert_eq!(node.get("/services/s").status, 404);
    let refused = node.send("PATCH", "/services/t", &json!({ "host": null }));
    assert_eq!(
        (refused.status, &refused.json()["fields"]),
        (400, &json!({ "host": "required field missing" }))
    );
    node.made(201, "POST", "/services/t/routes", &json!({ "name": "r", "paths": ["/r"] }));
    let patched = node.made(200, "PATCH", "/services/t/routes/r", &json!({ "strip_path": false }));
    assert_eq!((&patched["strip_path"], &patched["paths"]), (&json!(false), &json!(["/r"])));
    let patched = node.made(200, "PATCH", "/routes/r/service", &json!({ "port": 82 }));
    assert_eq!((&patched["name"], &patched["port"]), (&json!("t"), &json!(82)));
}

#[test]
fn certificates_name_their_servers() {
    let (cert, key) = certificate();
    let node = Node::stored();
    let body = json!({ "cert": cert, "key": key, "snis": ["b.t", "a.t", "b.t"] });
    let made = node.made(201, "POST", "/certificates", &body);
    assert_eq!(made["snis"], json!(["a.t", "b.t"]));
    assert_eq!((&made["cert_alt"], &made["key_alt"]), (&Value::Null, &Value::Null));
    let id = made["id"].as_str().unwrap();
    assert_eq!(node.get("/snis/a.t").json()["certificate"]["id"], id);
    assert_eq!(node.get(&format!("/certificates/{id}/snis")).json()["data"].as_array().unwrap().len(), 2);
    let patched = node.made(200, "PATCH", &format!("/certificates/{id}"), &json!({ "snis": ["a.t", "c.t"] }));
    assert_eq!(patched["snis"], json!(["a.t", "c.t"]));
    assert_eq!(node.get("/snis/b.t").status, 404);
    let kept = node.made(200, "PATCH", "/certificates/c.t", &json!({ "tags": ["x"] }));
    assert_eq!(kept["snis"], json!(["a.t", "c.t"]), "by the name of a server, which stays");
    let refused = node.send("POST", "/certificates", &body);
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(
        node.get("/certificates").json()["data"].as_array().unwrap().len(),
        1,
        "nothing of it is left"
    );
    let anchor = node.made(201, "POST", "/ca_certificates", &json!({ "cert": cert }));
    assert_eq!(anchor["cert_digest"].as_str().unwrap().len(), 64);
    let twice = node.send("POST", "/ca_certificates", &json!({ "cert": cert }));
    assert_eq!(twice.status, 409);
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["a.t".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn vaults_keys_and_sets() {
    let node = Node::stored();
    let vault = node.made(201, "POST", "/vaults", &json!({ "name": "env", "prefix": "my-env" }));
    assert_eq!(node.get("/vaults/my-env").json(), vault);
    node.made(201, "POST", "/key-sets", &json!({ "name": "set" }));
    let pem = json!({ "private_key": "{vault://env/nothing}", "public_key": "p" });
    let lost = json!({ "name": "k", "kid": "k", "pem": pem });
    let refused = node.send("POST", "/key-sets/set/keys", &lost);
    assert_eq!(refused.status, 400, "a secret that is not there: {}", refused.text);
    let pem = json!({ "private_key": "{vault://env/path}", "public_key": "p" });
    let key = node.made(201, "POST", "/key-sets/set/keys", &json!({ "name": "k", "kid": "k", "pem": pem }));
    assert_eq!(key["pem"]["private_key"], "{vault://env/path}", "it is kept as written");
    let served = node.control.gateway().snapshot();
    let kept = served.config().keys.values().next().unwrap().pem.clone().unwrap().private_key.unwrap();
    assert_eq!(kept, std::env::var("PATH").unwrap());
    node.gone("/key-sets/set");
    assert_eq!(node.get("/keys/k").status, 404, "keys go with their set");
}
