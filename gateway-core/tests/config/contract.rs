//! One test a row of the contract: Kong's words for what is wrong.

use serde_json::{Value, json};

use crate::{fine, messages, one, parse, refused};

fn service(fields: &str) -> String {
    format!("services:\n- {{name: s, host: h, {fields}}}")
}

fn route(fields: &str) -> String {
    format!("routes:\n- {{name: r, {fields}}}")
}

fn upstream(fields: &str) -> String {
    format!("upstreams:\n- {{{fields}}}")
}

fn plugin(fields: &str) -> String {
    format!("plugins:\n- {{{fields}}}")
}

const PROTOCOLS: &str = "expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp";

#[test]
fn a18_a_required_field_is_missing() {
    one("services:\n- name: s", "host", "required field missing");
    one("services:\n- {name: s, host: null}", "host", "required field missing");
}

#[test]
fn a19_several_fields_are_wrong_at_once() {
    let body = service("bogus: 1, port: 70000, protocol: htp");
    let mut all = messages(&body);
    all.sort();
    let expected = [
        ("bogus", "unknown field"),
        ("port", "value should be between 0 and 65535"),
        ("protocol", PROTOCOLS),
    ];
    assert_eq!(all, expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
}

#[test]
fn a20_names_are_unique() {
    let body = "services:\n- {name: s1, host: a}\n- {name: s1, host: b}";
    one(body, "", "uniqueness violation: 'services' entity with name set to 's1' already declared");
    let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
    let body = format!("services:\n- {{id: {id}, host: a}}\n- {{id: {id}, host: b}}");
    one(
        &body,
        "",
        &format!("uniqueness violation: 'services' entity with primary key set to '{id}' already declared"),
    );
    let body = "upstreams:\n- {name: u, targets: [{target: a}, {target: 'a:8000'}]}";
    let all = messages(body);
    assert_eq!(all.len(), 1);
    assert!(all[0].1.starts_with("uniqueness violation: 'targets' entity with upstream, target set to "));
    let body = "keys:\n- {kid: k, pem: {public_key: p}}\n- {name: other, kid: k, pem: {public_key: p}}";
    one(body, "", "uniqueness violation: 'keys' entity with kid set to 'k' already declared");
    let body = "consumers:\n- {username: a, keyauth_credentials: [{key: k}]}\n- {username: b, keyauth_credentials: [{key: k}]}";
    one(body, "", "uniqueness violation: 'keyauth_credentials' entity with key set to 'k' already declared");
}

#[test]
fn a21_a_plugin_stands_once_in_each_scope() {
    let body = "routes:\n- {name: r, paths: [/], plugins: [{name: cors}]}\nplugins:\n- {name: cors, route: r}\n- name: cors";
    let all = messages(body);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        all[0].1.starts_with("uniqueness violation: 'plugins' entity with name, route set to 'cors, "),
        "{all:?}"
    );
}

#[test]
fn a22_references_lead_somewhere() {
    let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
    let body = route(&format!("paths: [/], service: {{id: {id}}}"));
    one(&body, "service", &format!("invalid reference 'service: {id}' (no such entry in 'services')"));
    one(&plugin("name: cors, route: r"), "route", "invalid reference 'route: r' (no such entry in 'routes')");
    one(
        "targets:\n- {target: a, upstream: u}",
        "upstream",
        "invalid reference 'upstream: u' (no such entry in 'upstreams')",
    );
    one("keyauth_credentials:\n- {key: a}", "consumer", "required field missing");
}

#[test]
fn a29_ids_and_names() {
    one("services:\n- {id: '1', host: h}", "id", "expected a valid UUID");
    let message =
        "invalid value 'bad name!': the only accepted ascii characters are alphanumerics or ., -, _, and ~";
    one("services:\n- {name: 'bad name!', host: h}", "name", message);
    fine("services:\n- {name: 'Bäcker~1.a_b-c', host: h}");
}

#[test]
fn a30_a_route_needs_something_to_match() {
    let entity = |fields: &str, message: &str| one(&route(fields), "", message);
    entity(
        "service: null",
        "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'",
    );
    entity(
        "protocols: [http]",
        "must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'",
    );
    entity("protocols: [grpc]", "must set one of 'hosts', 'headers', 'paths' when 'protocols' is 'grpc'");
    entity("protocols: [tls_passthrough]", "must set snis when 'protocols' is 'tls_passthrough'");
    let tree = refused("_format_version: '3.0'\nroutes:\n- name: r").fields();
    assert_eq!(
        tree,
        json!({"routes": [{"@entity": ["must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"]}]})
    );
}

#[test]
fn a30_each_protocol_forbids_what_it_cannot_use() {
    one(
        &route("protocols: [grpc], paths: [/a], methods: [GET]"),
        "methods",
        "cannot set 'methods' when 'protocols' is 'grpc' or 'grpcs'",
    );
    one(
        &route("protocols: [grpc], paths: [/a], strip_path: true"),
        "strip_path",
        "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
    );
    one(
        &route("paths: [/a], sources: [{ip: 10.0.0.0/8}]"),
        "sources",
        "cannot set 'sources' when 'protocols' is 'http' or 'https'",
    );
    one(
        &route("protocols: [http], paths: [/a], snis: [a.b]"),
        "snis",
        "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
    );
    one(
        &route("paths: [/a], headers: {Host: [a.b]}"),
        "headers.Host",
        "cannot contain 'host' header, which must be specified in the 'hosts' attribute",
    );
    one(&route("methods: [get]"), "methods.1", "invalid value: get");
    let config = fine(&route("protocols: [grpc], paths: [/a]"));
    assert!(config.routes.values().all(|route| !route.strip_path), "as Kong sets it for gRPC");
}

#[test]
fn a31_paths_of_routes() {
    let path = |path: &str, message: &str| one(&route(&format!("paths: ['{path}']")), "paths.1", message);
    path("x", "should start with: / (fixed path) or ~/ (regex path)");
    path("/a//b", "must not have empty segments");
    path("/ab%7Ec", "non-normalized path, consider use '/ab~c' instead");
    path("~/[", "invalid regex: '/[' (PCRE returned: unclosed character class)");
    path(
        "~/[a-z]{99999}",
        "invalid regex: '/[a-z]{99999}' (PCRE returned: Compiled regex exceeds size limit of 1048576 bytes.)",
    );
    fine(&route("paths: ['/a(b', '~/a/(?<id>[0-9]+)']"));
    let tree = refused("_format_version: '3.0'\nroutes:\n- name: r\n  paths: [/a, x]").fields();
    assert_eq!(
        tree,
        json!({"routes": [{"paths": [null, "should start with: / (fixed path) or ~/ (regex path)"]}]})
    );
}

#[test]
fn a32_hosts_of_routes() {
    one(&route("hosts: ['*.a.*']"), "hosts.1", "invalid wildcard: must have at most one wildcard");
    fine(&route("hosts: ['a.b:80']"));
}

#[test]
fn a33_protocols_of_routes() {
    one(&route("paths: [/], protocols: [ftp]"), "protocols", "unknown type: ftp");
    one(
        &route("paths: [/], protocols: [http, tcp]"),
        "protocols",
        "these sets are mutually exclusive: ('http', 'https'), ('tcp', 'tls', 'udp')",
    );
}

#[test]
fn a34_upstreams() {
    one(&upstream("name: 127.0.0.1"), "name", "Invalid name ('127.0.0.1'); no ip addresses allowed");
    one(&upstream("name: u, slots: 5"), "slots", "value should be between 10 and 65536");
    one(
        &upstream("name: u, algorithm: random"),
        "algorithm",
        "expected one of: consistent-hashing, least-connections, round-robin, latency",
    );
    let both = messages(&upstream("name: u, hash_on: header"));
    assert!(both.contains(&("hash_on_header".into(), "required field missing".into())), "{both:?}");
    let whole = "failed conditional validation given value of field 'hash_on'";
    assert!(both.contains(&(String::new(), whole.into())), "{both:?}");
    let problems = refused("_format_version: '3.0'\nupstreams:\n- {name: u, hash_on: header}");
    assert_eq!(problems.essential().count(), 1, "a reader has one thing to mend");
    let tree = json!({"upstreams": [{"hash_on_header": "required field missing", "@entity": [whole]}]});
    assert_eq!(problems.fields(), tree);
}

#[test]
fn a35_targets() {
    let target = |fields: &str| format!("upstreams:\n- {{name: u, targets: [{{{fields}}}]}}");
    one(&target("target: 'a b:80'"), "target", "Invalid target; not a valid hostname or ip address");
    one(&target("target: a, weight: 65536"), "weight", "value should be between 0 and 65535");
    for (written, meant) in [
        ("a", "a:8000"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("'::1'", "[::1]:8000"),
        ("'[0:0:0:0:0:0:0:1]'", "[::1]:8000"),
        ("'[2001:DB8::0:7]:80'", "[2001:db8::7]:80"),
    ] {
        let config = fine(&target(&format!("target: {written}")));
        assert_eq!(config.targets.values().next().map(|target| target.target.as_str()), Some(meant));
    }
    let twice = "upstreams:\n- {name: u, targets: [{target: '[::1]:80'}, {target: '[0:0::1]:80'}]}";
    assert!(messages(twice)[0].1.starts_with("uniqueness violation: 'targets' entity"));
}

#[test]
fn a36_a_consumer_has_a_name() {
    one("consumers:\n- {}", "", "at least one of these fields must be non-empty: 'custom_id', 'username'");
}

#[test]
fn a37_plugins() {
    one(
        &plugin("name: nope"),
        "name",
        "plugin 'nope' not enabled; add it to the 'plugins' configuration property",
    );
    one(&plugin("name: cors, config: {bogus: 1}"), "config.bogus", "unknown field");
    one("consumers:\n- {username: a, plugins: [{name: cors}]}", "consumer", "value must be null");
    one("consumers:\n- username: a\nplugins:\n- {name: cors, consumer: a}", "consumer", "value must be null");
    one(&plugin("name: cors, protocols: [udp]"), "protocols.1", "expected one of: grpc, grpcs, http, https");
    let tree =
        refused(&format!("_format_version: '3.0'\n{}", plugin("name: cors, config: {bogus: 1}"))).fields();
    assert_eq!(tree, json!({"plugins": [{"config": {"bogus": "unknown field"}}]}));
}

#[test]
fn a38_limits_of_rates() {
    one(
        &plugin("name: rate-limiting"),
        "",
        "at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', 'config.day', 'config.month', 'config.year'",
    );
    one(&plugin("name: rate-limiting, config: {minute: 0}"), "config.minute", "value must be greater than 0");
    one(
        &plugin("name: rate-limiting, config: {minute: 10, second: 20}"),
        "config",
        "The limit for minute(10.0) cannot be lower than the limit for second(20.0)",
    );
    let config = fine(&plugin("name: rate-limiting, config: {minute: 10, redis_host: r}"));
    let plugin = config.plugins.values().next().expect("there");
    assert_eq!(
        plugin.config["redis"],
        json!({"host": "r", "port": 6379}),
        "the old flat field fills the new one"
    );
    assert!(plugin.config.get("redis_host").is_none(), "and does not come back (D43)");
}

#[test]
fn a39_expressions() {
    one(
        &route("expression: 'http.path == \"/\"', paths: [/]"),
        "",
        "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
    );
    one(
        &route("expression: 'http.path == \"/\"', priority: 70368744177664"),
        "priority",
        "value should be between 0 and 70368744177663",
    );
    one(
        &route("expression: 'http.path == \"/\"', regex_priority: 1"),
        "",
        "cannot set 'regex_priority' with 'expression' simultaneously",
    );
    one(
        &route("paths: [/], priority: 1"),
        "",
        "cannot set 'priority' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
    );
    let config = fine(&route("expression: 'http.path == \"/\"', priority: 7, regex_priority: 0"));
    let route_of =
        |config: &gateway_core::config::Config| config.routes.values().next().cloned().expect("there");
    assert_eq!(route_of(&config).priority, Some(7));
    // What `GET` shows of a route with fields, written back.
    let config = fine(&route("paths: [/], expression: null, priority: 0"));
    assert_eq!((route_of(&config).expression.clone(), route_of(&config).priority), (None, Some(0)));
}

#[test]
fn a49_the_body_of_a_refusal() {
    let problems = refused("_format_version: '3.0'\nservices:\n- {name: a, host: h}\n- name: b\n");
    assert_eq!(problems.fields(), json!({"services": [null, {"host": "required field missing"}]}));
    assert_eq!(
        problems.message(),
        "declarative config is invalid: {services={[2]={host=\"required field missing\"}}}"
    );
    let body = refused("_format_version: '3.0'\nservices:\n- name: b\n").body();
    assert_eq!(
        body,
        json!({
            "code": 14,
            "name": "invalid declarative configuration",
            "message": "declarative config is invalid: {services={{host=\"required field missing\"}}}",
            "fields": {"services": [{"host": "required field missing"}]},
        })
    );
}

#[test]
fn a49_what_is_wrong_with_the_file_as_a_whole() {
    let fields = |text: &str| refused(text).fields();
    assert_eq!(fields("services: []"), json!({"_format_version": "required field missing"}));
    assert_eq!(fields("_format_version: '4'"), json!({"_format_version": "expected one of: 1.1, 2.1, 3.0"}));
    assert_eq!(fields("_format_version: 3.0"), json!({"_format_version": "expected a string"}));
    assert_eq!(fields("_format_version: '3.0'\nfoo: 1"), json!({"foo": "unknown field"}));
    assert_eq!(fields("_format_version: '3.0'\nservices: 1"), json!({"services": "expected an array"}));
    assert_eq!(fields("_format_version: '3.0'\nservices: [1]"), json!({"services": ["expected a record"]}));
    let broken = fields("services: [a, }");
    let error = broken["error"].as_str().expect("a text");
    assert!(error.starts_with("failed parsing declarative configuration: 1:"), "{error}");
    for version in ["1.1", "2.1", "3.0"] {
        assert!(parse(&format!("_format_version: '{version}'")).is_ok(), "{version}");
    }
}

#[test]
fn a49_a_missing_reference_stands_under_the_name() {
    let problems = refused("_format_version: '3.0'\nroutes:\n- {name: r, paths: [/], service: zz}");
    assert_eq!(
        problems.fields(),
        json!({"routes": {"r": ["invalid reference 'service: zz' (no such entry in 'services')"]}})
    );
}

#[test]
fn a49_flattened_errors_have_one_entry_an_entity() {
    let text = "
_format_version: '3.0'
foo: 1
services:
- name: s
  host: h
  port: -1
  tags: [a]
  routes:
  - name: r
    paths: [/a, x]
";
    let body = refused(text).flattened_body();
    assert_eq!(body["fields"], json!({"foo": "unknown field"}));
    assert_eq!(
        body["flattened_errors"],
        json!([
            {
                "entity_type": "service",
                "entity_name": "s",
                "entity_tags": ["a"],
                "entity": {"name": "s", "host": "h", "port": -1, "tags": ["a"]},
                "errors": [{"type": "field", "field": "port", "message": "value should be between 0 and 65535"}],
            },
            {
                "entity_type": "route",
                "entity_name": "r",
                "entity": {"name": "r", "paths": ["/a", "x"]},
                "errors": [{
                    "type": "field",
                    "field": "paths.2",
                    "message": "should start with: / (fixed path) or ~/ (regex path)",
                }],
            },
        ])
    );
    let whole = refused("_format_version: '3.0'\nconsumers:\n- {}").flattened_body();
    assert_eq!(whole["message"], "declarative config is invalid: {}");
    assert_eq!(whole["flattened_errors"][0]["errors"][0]["type"], "entity");
}

#[test]
fn a49_the_flat_list_for_tools() {
    let problems = refused("_format_version: '3.0'\nservices:\n- {name: s, host: h, prot: http}");
    let list = serde_json::to_value(&problems).expect("serialises");
    assert_eq!(
        list[0],
        json!({
            "message": "unknown field",
            "path": "services[0].prot",
            "matter": "field",
            "span": {"line": 3, "column": 22, "start": 54, "end": 58},
            "entity_type": "service",
            "entity_name": "s",
            "entity_id": null,
            "found": null,
            "allowed": list[0]["allowed"],
            "nearest": "protocol",
            "implied": false,
        })
    );
    assert!(list[0]["allowed"].as_str().is_some_and(|names| names.contains("protocol")));
}

#[test]
fn a50_ids_come_from_names() {
    let config = fine("consumers:\n- username: alice\nservices:\n- {name: a, host: h}");
    let id = |id: Option<&uuid::Uuid>| id.map(ToString::to_string);
    assert_eq!(id(config.consumers.keys().next()).as_deref(), Some("b32379d9-3d28-5683-a79c-72139be6e34f"));
    assert_eq!(id(config.services.keys().next()).as_deref(), Some("72734e2a-702d-5711-b9ef-697178108ad8"));
}

#[test]
fn a50_credentials_without_id_get_a_random_one() {
    let text = "consumers:\n- {username: a, keyauth_credentials: [{key: k}]}";
    assert_ne!(fine(text).credentials, fine(text).credentials);
    let made_up = fine("consumers:\n- {username: a, keyauth_credentials: [{}]}");
    let key = made_up.credentials.values().next().map(|credential| credential.fields["key"].clone());
    let key = key.as_ref().and_then(Value::as_str).expect("a text");
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
}

#[test]
fn a50_values_of_a_wrong_yaml_type_are_refused() {
    one(&route("paths: [/], headers: {x-a: [yes]}"), "headers.x-a.1", "expected a string");
    one(&service("retries: '3'"), "retries", "expected an integer");
    one(&service("retries: 1.5"), "retries", "expected an integer");
    one(&service("enabled: 'true'"), "enabled", "expected a boolean");
    one(&route("paths: /a"), "paths", "expected an array");
    one(&route("paths: [/], methods: GET"), "methods", "expected a set");
    one(&route("paths: [/], headers: [a]"), "headers", "expected a map");
    one(&upstream("name: u, healthchecks: 1"), "healthchecks", "expected a record");
    one(&service("tags: ['']"), "tags.1", "length must be at least 1");
    assert!(fine(&service("enabled: off")).services.values().all(|service| !service.enabled));
}
