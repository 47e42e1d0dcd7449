//! What is refused, with Kong's status, code, name, message and fields.

use serde_json::{Value, json};

use crate::kit::Node;

/// A node with one of each.
fn node() -> Node {
    let node = Node::stored();
    for (path, body) in [
        ("/services", json!({ "name": "s1", "host": "h" })),
        ("/services/s1/routes", json!({ "name": "r1", "paths": ["/r1"] })),
        ("/upstreams", json!({ "name": "up1" })),
        ("/consumers", json!({ "username": "alice" })),
        ("/routes/r1/plugins", json!({ "name": "cors" })),
    ] {
        node.made(201, "POST", path, &body);
    }
    node
}

#[test]
fn fields_that_are_wrong_a18_a19_a29_to_a37() {
    let node = node();
    let before = node.control.revision();
    let protocols = "grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp";
    let must = "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'";
    let several = format!(
        "3 schema violations (bogus: unknown field; port: value should be between 0 and 65535; \
         protocol: expected one of: {protocols})"
    );
    let one = |text: &str| format!("schema violation ({text})");
    let paths = |message: &str| json!({ "paths": [message] });
    let rows: Vec<(&str, Value, String, Value)> = vec![
        (
            "/services",
            json!({}),
            one("host: required field missing"),
            json!({ "host": "required field missing" }),
        ),
        (
            "/services",
            json!({ "host": "h", "port": 70000, "protocol": "ftp", "bogus": 1 }),
            several,
            json!({
                "bogus": "unknown field", "port": "value should be between 0 and 65535",
                "protocol": format!("expected one of: {protocols}"),
            }),
        ),
        (
            "/services",
            json!({ "host": "h", "id": "x" }),
            one("id: expected a valid UUID"),
            json!({ "id": "expected a valid UUID" }),
        ),
        (
            "/services",
            json!({ "host": "h", "name": "bad name!" }),
            one(
                "name: invalid value 'bad name!': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
            ),
            json!({ "name": "invalid value 'bad name!': the only accepted ascii characters are alphanumerics or ., -, _, and ~" }),
        ),
        ("/routes", json!({}), one(must), json!({ "@entity": [must] })),
        (
            "/routes",
            json!({ "paths": ["x"] }),
            one("paths.1: should start with: / (fixed path) or ~/ (regex path)"),
            paths("should start with: / (fixed path) or ~/ (regex path)"),
        ),
        (
            "/routes",
            json!({ "paths": ["/a//b"] }),
            one("paths.1: must not have empty segments"),
            paths("must not have empty segments"),
        ),
        (
            "/routes",
            json!({ "paths": ["/ab%7Ec"] }),
            one("paths.1: non-normalized path, consider use '/ab~c' instead"),
            paths("non-normalized path, consider use '/ab~c' instead"),
        ),
        (
            "/routes",
            json!({ "hosts": ["*.a.*"] }),
            one("hosts.1: invalid wildcard: must have at most one wildcard"),
            json!({ "hosts": ["invalid wildcard: must have at most one wildcard"] }),
        ),
        (
            "/routes",
            json!({ "paths": ["/"], "protocols": ["ftp"] }),
            one("protocols: unknown type: ftp"),
            json!({ "protocols": "unknown type: ftp" }),
        ),
        (
            "/upstreams",
            json!({ "name": "127.0.0.1" }),
            one("name: Invalid name ('127.0.0.1'); no ip addresses allowed"),
            json!({ "name": "Invalid name ('127.0.0.1'); no ip addresses allowed" }),
        ),
        (
            "/upstreams",
            json!({ "name": "u", "slots": 5 }),
            one("slots: value should be between 10 and 65536"),
            json!({ "slots": "value should be between 10 and 65536" }),
        ),
        (
            "/upstreams",
            json!({ "name": "u", "algorithm": "x" }),
            one("algorithm: expected one of: consistent-hashing, least-connections, round-robin, latency"),
            json!({ "algorithm": "expected one of: consistent-hashing, least-connections, round-robin, latency" }),
        ),
        (
            "/upstreams/up1/targets",
            json!({ "target": "a b" }),
            one("target: Invalid target; not a valid hostname or ip address"),
            json!({ "target": "Invalid target; not a valid hostname or ip address" }),
        ),
        (
            "/upstreams/up1/targets",
            json!({ "target": "a.t", "weight": 65536 }),
            one("weight: value should be between 0 and 65535"),
            json!({ "weight": "value should be between 0 and 65535" }),
        ),
        (
            "/consumers",
            json!({}),
            one("at least one of these fields must be non-empty: 'custom_id', 'username'"),
            json!({ "@entity": ["at least one of these fields must be non-empty: 'custom_id', 'username'"] }),
        ),
        (
            "/plugins",
            json!({ "name": "nope" }),
            one("name: plugin 'nope' not enabled; add it to the 'plugins' configuration property"),
            json!({ "name": "plugin 'nope' not enabled; add it to the 'plugins' configuration property" }),
        ),
        (
            "/plugins",
            json!({ "name": "cors", "config": { "bogus": 1 } }),
            one("config.bogus: unknown field"),
            json!({ "config": { "bogus": "unknown field" } }),
        ),
        (
            "/consumers/alice/plugins",
            json!({ "name": "cors" }),
            one("consumer: value must be null"),
            json!({ "consumer": "value must be null" }),
        ),
        (
            "/plugins",
            json!({ "name": "cors", "protocols": ["tcp"] }),
            one("protocols.1: expected one of: grpc, grpcs, http, https"),
            json!({ "protocols": ["expected one of: grpc, grpcs, http, https"] }),
        ),
        (
            "/services",
            json!({ "host": "h", "routes": [] }),
            one("routes: unknown field"),
            json!({ "routes": "unknown field" }),
        ),
        (
            "/consumers",
            json!({ "username": "b", "groups": [] }),
            one("groups: unknown field"),
            json!({ "groups": "unknown field" }),
        ),
    ];
    for (path, body, message, fields) in rows {
        let expected = json!({ "code": 2, "name": "schema violation", "message": message, "fields": fields });
        let answer = node.send("POST", path, &body);
        assert_eq!((answer.status, answer.json()), (400, expected), "{path} {body}");
    }
    assert_eq!(node.control.revision(), before, "nothing was kept");
}

#[test]
fn a_condition_is_told_with_the_field_a34() {
    let node = node();
    let answer = node.send("POST", "/upstreams", &json!({ "name": "u", "hash_on": "header" }));
    let body = answer.json();
    assert_eq!(
        body["fields"],
        json!({
            "@entity": ["failed conditional validation given value of field 'hash_on'"],
            "hash_on_header": "required field missing",
        })
    );
    assert!(body["message"].as_str().unwrap().starts_with("2 schema violations ("), "{body}");
}

#[test]
fn some_odd_ones_are_taken_a31_a32() {
    let node = node();
    node.made(201, "POST", "/routes", &json!({ "paths": ["/a(b"] }));
    node.made(201, "POST", "/routes", &json!({ "hosts": ["a.b:80"] }));
}

#[test]
fn an_expression_that_is_none_is_refused_before_it_is_kept_a31_a39() {
    let node = node();
    let before = node.control.revision();
    let answer = node.send("POST", "/routes", &json!({ "name": "re", "paths": ["~/["] }));
    let body = answer.json();
    assert_eq!((answer.status, &body["code"]), (400, &json!(2)), "{body}");
    assert!(body["fields"]["paths"][0].as_str().unwrap().starts_with("invalid regex"), "{body}");
    assert_eq!((node.control.revision(), node.get("/routes/re").status), (before, 404));
}

#[test]
fn expressions_a39() {
    let mut settings = gateway_core::Settings::default();
    settings.router_flavor = gateway_core::router::Flavor::Expressions;
    let gateway = gateway_core::Gateway::builder().settings(settings).build().unwrap();
    let store = std::sync::Arc::new(gateway_control::store::Memory::new());
    let node = Node::of(gateway_control::Control::stored(gateway, store).unwrap());
    let made =
        node.made(201, "POST", "/routes", &json!({ "expression": "http.path == \"/\"", "priority": 5 }));
    assert_eq!((&made["expression"], &made["priority"]), (&json!("http.path == \"/\""), &json!(5)));
    assert_eq!(node.made(201, "POST", "/routes", &json!({ "paths": ["/"] }))["priority"], 0);
    let refused = |body: &Value| {
        let answer = node.send("POST", "/routes", body);
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.json()
    };
    let unknown = refused(&json!({ "expression": "foo == 1" }));
    let message = unknown["fields"]["@entity"][0].as_str().unwrap();
    assert!(message.starts_with("Router Expression failed validation: Unknown LHS field"), "{unknown}");
    assert_eq!(unknown["message"], format!("schema violation ({message})"));
    let both = refused(&json!({ "expression": "http.path == \"/\"", "paths": ["/"] }));
    assert_eq!(
        both["fields"]["@entity"][0],
        "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' \
         simultaneously"
    );
    let high = refused(&json!({ "expression": "http.path == \"/\"", "priority": 70_368_744_177_664_u64 }));
    assert_eq!(high["fields"]["priority"], "value should be between 0 and 70368744177663");
}

#[test]
fn values_that_are_taken_a20_a21() {
    let node = node();
    node.send("POST", "/services", &json!({ "name": "s1", "host": "h" })).is(
        409,
        &json!({
            "code": 5, "name": "unique constraint violation",
            "message": "UNIQUE violation detected on '{name=\"s1\"}'", "fields": { "name": "s1" },
        }),
    );
    let route = node.get("/routes/r1").json();
    let id = route["id"].as_str().unwrap();
    let message = format!(
        "UNIQUE violation detected on '{{consumer=null,name=\"cors\",route={{id=\"{id}\"}},service=null}}'"
    );
    node.send("POST", "/routes/r1/plugins", &json!({ "name": "cors" })).is(
        409,
        &json!({
            "code": 5, "name": "unique constraint violation", "message": message,
            "fields": { "consumer": null, "name": "cors", "route": { "id": id }, "service": null },
        }),
    );
    node.made(201, "POST", "/services", &json!({ "name": "s2", "host": "h" }));
    let renamed = node.send("PATCH", "/services/s2", &json!({ "name": "s1" }));
    assert_eq!((renamed.status, &renamed.json()["fields"]), (409, &json!({ "name": "s1" })));
    let message = format!("primary key violation on key '{{id=\"{id}\"}}'");
    node.send("POST", "/routes", &json!({ "id": id, "paths": ["/x"] })).is(
        400,
        &json!({ "code": 3, "name": "primary key violation", "message": message, "fields": { "id": id } }),
    );
    node.made(201, "POST", "/consumers/alice/acls", &json!({ "group": "g" }));
    let twice = node.send("POST", "/consumers/alice/acls", &json!({ "group": "g" }));
    assert_eq!((twice.status, &twice.json()["fields"]["group"]), (409, &json!("g")));
}

#[test]
fn references_to_nothing_a22() {
    let node = node();
    let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
    let message =
        format!("the foreign key '{{id=\"{id}\"}}' does not reference an existing 'services' entity.");
    node.send("POST", "/routes", &json!({ "paths": ["/x"], "service": { "id": id } })).is(
        400,
        &json!({
            "code": 4, "name": "foreign key violation", "message": message, "fields": { "service": { "id": id } },
        }),
    );
    let reason = "the foreign key cannot be resolved with '{name=\"zz\"}' for an existing 'services' entity";
    node.send("POST", "/routes", &json!({ "paths": ["/x"], "service": { "name": "zz" } })).is(
        400,
        &json!({
            "code": 13, "name": "foreign keys unresolved",
            "message": format!("foreign key unresolved (service.name: {reason})"),
            "fields": { "service": { "name": reason } },
        }),
    );
    let trust = json!({ "name": "t", "host": "h", "protocol": "https", "ca_certificates": [id] });
    let message =
        format!("the foreign key '{{id=\"{id}\"}}' does not reference an existing 'ca_certificates' entity.");
    let expected = json!({
        "code": 4, "name": "foreign key violation", "message": message, "fields": { "ca_certificates": { "id": id } },
    });
    node.send("POST", "/services", &trust).is(400, &expected);
    node.made(201, "POST", "/services", &json!({ "name": "t", "host": "h", "protocol": "https" }));
    node.send("PATCH", "/services/t", &json!({ "ca_certificates": [id] })).is(400, &expected);
    node.send("POST", "/services/nope/routes", &json!({ "paths": ["/x"] }))
        .is(404, &json!({ "message": "Not found" }));
}

#[test]
fn what_is_still_referred_to_stays_a23() {
    let node = node();
    node.ask("DELETE", "/services/s1", "", "").is(
        400,
        &json!({
            "code": 4, "name": "foreign key violation",
            "message": "an existing 'routes' entity references this 'services' entity",
            "fields": { "@referenced_by": "routes" },
        }),
    );
    assert_eq!(node.get("/services/s1").status, 200);
}

#[test]
fn what_is_not_there_a24_a25_a26() {
    let node = node();
    node.get("/services/nope").is(404, &json!({ "message": "Not found" }));
    node.send("PATCH", "/services/nope", &json!({ "port": 1 })).is(
        404,
        &json!({
            "code": 6, "name": "not found", "message": "could not find the entity with '{name=\"nope\"}'",
            "fields": { "name": "nope" },
        }),
    );
    let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
    let by_id = node.send("PATCH", &format!("/services/{id}"), &json!({ "port": 1 }));
    assert_eq!((by_id.status, &by_id.json()["fields"]), (404, &json!({ "id": id })));
    node.gone("/services/nope");
    node.gone(&format!("/services/{id}"));
    for (method, path) in [
        ("PATCH", "/services/s1/routes/nope"),
        ("DELETE", "/services/s1/routes/nope"),
        ("PATCH", "/services/nope/routes/r1"),
        ("POST", "/nope"),
        ("PUT", "/routes/nope/service"),
        ("POST", "/targets"),
    ] {
        node.send(method, path, &json!({})).is(404, &json!({ "message": "Not found" }));
    }
    let bad = node.send("PUT", "/certificates/nope", &json!({}));
    assert_eq!((bad.status, &bad.json()["code"]), (400, &json!(1)));
}

#[test]
fn wrong_methods_a27() {
    let node = node();
    let no = json!({ "message": "Method not allowed" });
    for (method, path) in [
        ("DELETE", "/services"),
        ("PUT", "/services"),
        ("POST", "/services/s1"),
        ("DELETE", "/routes/r1/service"),
    ] {
        node.send(method, path, &json!({})).is(405, &no);
    }
}

#[test]
fn the_id_that_stands_for_none_is_none() {
    let node = Node::stored();
    let nil = "00000000-0000-0000-0000-000000000000";
    for (method, path, body) in [
        ("PUT", format!("/services/{nil}"), json!({ "host": "h" })),
        ("POST", "/services".to_owned(), json!({ "host": "h", "id": nil })),
    ] {
        let refused = node.made(400, method, &path, &body);
        assert_eq!(refused["fields"], json!({ "id": "expected a valid UUID" }), "{method}");
    }
}
