//! What the format can say: nesting, references, shorthands, vaults, typed entities.

use gateway_core::config::{
    Algorithm, Config, Consumer, Options, Plugin, Protocol, Route, Service, Target, Upstream, schema,
};
use serde_json::json;

use crate::{Tables, fine, one, parse, refused, with_environment};

#[test]
fn a_url_is_split_into_its_parts() {
    let config = fine("services:\n- {name: s, url: 'https://u.example/p'}");
    let service = config.services.values().next().expect("there");
    assert_eq!((service.protocol, service.port), (Protocol::Https, 443));
    assert_eq!((service.host.as_str(), service.path.as_deref()), ("u.example", Some("/p")));
    one(
        "services:\n- {name: s, url: 'ftp://h'}",
        "protocol",
        "expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp",
    );
}

#[test]
fn typed_entities_and_files_give_the_same() {
    let service = Service::new("users", "users.pool");
    let mut route = Route::new("users").to(&service);
    route.paths = Some(vec!["/users".into()]);
    let pool = Upstream::new("users.pool");
    let target = Target::new(&pool, "10.0.0.1:80");
    let typed =
        Config::default().with(service).with(route).with(pool).with(target).with(Consumer::new("alice"));
    let text = "
services:
- name: users
  host: users.pool
  routes: [{name: users, paths: [/users]}]
upstreams:
- name: users.pool
  targets: [{target: '10.0.0.1:80'}]
consumers: [{username: alice}]
";
    assert_eq!(typed.check(&Tables::new()).expect("right"), fine(text));
}

#[test]
fn checking_typed_entities_fills_the_defaults_of_plugins_and_names_what_is_wrong() {
    let cors = Config::default().with(Plugin::new("cors", json!({"max_age": 1})));
    let checked = cors.check(&Tables::new()).expect("right");
    let plugin = checked.plugins.values().next().expect("there");
    assert_eq!(plugin.config["credentials"], false);
    let mut service = Service::new("s", "not a host");
    service.port = 1;
    let problems = Config::default().with(service).check(&Tables::new()).expect_err("wrong");
    let problem = problems.iter().next().expect("one");
    assert_eq!(problem.to_string(), "services[0].host: invalid value: not a host");
    assert_eq!(problem.subject.as_ref().and_then(|subject| subject.name.as_deref()), Some("s"));
}

#[test]
fn a_hash_implies_the_algorithm_unless_one_is_given() {
    let algorithm = |fields: &str| {
        let config = fine(&format!("upstreams:\n- {{name: u, hash_on: ip{fields}}}"));
        config.upstreams.values().next().map(|upstream| upstream.algorithm)
    };
    assert_eq!(algorithm(""), Some(Algorithm::ConsistentHashing));
    assert_eq!(algorithm(", algorithm: round-robin"), Some(Algorithm::RoundRobin));
}

#[test]
fn groups_have_the_members_that_either_side_names() {
    let config = fine(
        "consumer_groups: [{name: gold, consumers: [alice]}]\nconsumers:\n- username: alice\n- {username: bob, groups: [{name: gold}]}",
    );
    let gold = config.consumer_groups.values().next().expect("there");
    assert_eq!(gold.consumers.len(), 2);
    one(
        "consumers: [{username: a, groups: [nope]}]",
        "groups.1",
        "invalid reference 'groups: nope' (no such entry in 'consumer_groups')",
    );
}

#[test]
fn ids_do_not_hang_on_the_place_in_the_file() {
    let one = fine("plugins: [{name: cors}]\nroutes: [{paths: [/a]}, {paths: [/b]}]");
    let other = fine("routes: [{paths: [/b]}, {paths: [/a]}]\nplugins: [{name: cors}]");
    assert_eq!(one, other);
}

#[test]
fn two_entities_without_names_may_be_equal() {
    let config = fine("routes: [{paths: [/a]}, {paths: [/a]}]");
    assert_eq!(config.routes.len(), 2);
}

#[test]
fn secrets_come_from_the_environment() {
    let text =
        |config: &str| format!("_format_version: '3.0'\nplugins:\n- {{name: key-auth, config: {config}}}");
    let environment = |name: &str| (name == "MY_REALM").then(|| "the realm".to_owned());
    let config = with_environment(&text("{realm: '{vault://env/my-realm}'}"), &environment).expect("right");
    assert_eq!(config.plugins.values().next().expect("there").config["realm"], "the realm");
    let problems =
        with_environment(&text("{realm: '{vault://env/other}'}"), &environment).expect_err("not set");
    let problem = problems.iter().next().expect("one");
    assert_eq!(
        problem.message,
        "failed to dereference '{vault://env/other}': environment variable OTHER is not set"
    );
    assert_eq!(problem.path.to_string(), "plugins[0].config.realm");
    let plain =
        with_environment(&text("{anonymous: '{vault://env/my-realm}'}"), &environment).expect("right");
    assert_eq!(
        plain.plugins.values().next().expect("there").config["anonymous"],
        "{vault://env/my-realm}",
        "a field that takes no references keeps its text"
    );
}

#[test]
fn references_can_be_kept() {
    let text =
        "_format_version: '3.0'\ncertificates:\n- {cert: '{vault://env/cert}', key: '{vault://env/key}'}";
    let tables = Tables::new();
    let config = Config::parse(text, Options::new(&tables).keep_references()).expect("right");
    let certificate = config.certificates.values().next().expect("there");
    assert_eq!(certificate.cert, "{vault://env/cert}");
    let again = Config::parse(&config.to_yaml(), Options::new(&tables).keep_references());
    assert_eq!(again.expect("right"), config);
}

#[test]
fn json_is_read_too() {
    let text = r#"{"_format_version":"3.0","services":[{"name":"s","host":"h\u002e","routes":[{"paths":["\/a"]}]}]}"#;
    let config = parse(text).expect("right");
    assert_eq!(config.routes.len(), 1);
    let problems = refused("{\"_format_version\": \"3.0\",\n\"services\": [{\"port\": 1}]}");
    assert_eq!(problems.to_string(), "2:14: services[0].host: required field missing");
}

#[test]
fn a_key_given_twice_is_refused() {
    let problems = refused("_format_version: '3.0'\nservices:\n- name: a\n  host: h\n  host: i\n");
    assert_eq!(problems.to_string(), "5:3: services[0].host: field given twice");
}

#[test]
fn keys_and_certificates_must_be_what_they_say() {
    one("keys:\n- {kid: a}", "", "at least one of these fields must be non-empty: 'jwk', 'pem'");
    one("keys:\n- {kid: a, jwk: '{\"kid\":\"b\"}'}", "", "kid in jwk.kid must be equal to keys.kid");
    one("ca_certificates:\n- {cert: x}", "cert", "invalid certificate: no PEM certificate found");
    one("vaults:\n- {name: aws, prefix: my-aws}", "name", "vault 'aws' is not installed");
}

#[test]
fn tables_are_there_for_every_list_and_every_field_has_a_doc() {
    let file = fine("");
    assert_eq!(file, Config::default());
    for collection in
        ["services", "routes", "upstreams", "targets", "consumers", "plugins", "keyauth_credentials"]
    {
        let record = schema::entity(collection).expect(collection);
        for field in &record.fields {
            assert!(!field.doc.is_empty(), "{collection}.{}", field.name);
        }
        let json = record.json_schema();
        assert_eq!(json["additionalProperties"], false);
    }
    let service = schema::entity("services").expect("there").json_schema();
    assert_eq!(service["properties"]["port"]["maximum"], 65535);
    assert_eq!(service["required"], json!(["host"]));
    assert!(schema::entity("nothing").is_none());
}
