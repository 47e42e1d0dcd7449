//! What the format can say: nesting, references, shorthands, vaults, typed entities.

use gateway_core::config::{
    Algorithm, Config, Consumer, Options, Plugin, Protocol, Route, Service, Target, Upstream,
    schema::{self, PluginSchemas},
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
fn queries_of_a_route_are_written_only_where_they_are_set() {
    let with = fine("routes: [{paths: [/a], queries: {q: ['1', '~^a'], r: [x]}}]");
    let queries = with.routes.values().next().and_then(|route| route.queries.clone()).expect("set");
    assert_eq!(queries.get("q").map(Vec::as_slice), Some(&["1".to_owned(), "~^a".to_owned()][..]));
    assert_eq!(parse(&with.to_yaml()).expect("its own words"), with);

    let without = fine("routes: [{paths: [/a]}]");
    let route = without.routes.values().next().expect("there");
    let kongs = serde_json::to_value(route).expect("text");
    assert!(kongs.get("queries").is_none() && kongs.get("expression").is_none(), "{kongs}");
}

#[test]
fn patterns_in_the_paths_of_older_files_get_their_mark() {
    let paths = |version: &str| {
        let file = format!(
            "_format_version: '{version}'\nservices:\n- {{name: s, host: h, routes: [{{paths: ['/a-b', '/a/(\\d+)$']}}]}}"
        );
        let config = parse(&file).expect("right");
        config.routes.values().next().and_then(|route| route.paths.clone()).unwrap_or_default()
    };
    assert_eq!(paths("1.1"), ["/a-b", "~/a/(\\d+)$"]);
    assert_eq!(paths("2.1"), ["/a-b", "~/a/(\\d+)$"]);
    assert_eq!(paths("3.0"), ["/a-b", "/a/(\\d+)$"]);
}

#[test]
fn there_is_an_end_to_the_list_of_problems() {
    let bad = format!(
        "_format_version: '3.0'\n_ignore:\n- &bad {{a: 1, b: 2, c: 3}}\nservices:\n{}",
        "- *bad\n".repeat(9000)
    );
    assert_eq!(refused(&bad).len(), 1_000);
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
fn what_follows_from_a_typo_is_no_further_problem_for_a_reader() {
    let problems =
        refused("_format_version: '3.0'\nservices:\n- {name: s, hots: h, routes: [{name: r, path: [/]}]}");
    let essential: Vec<_> = problems.essential().map(|problem| problem.path.to_string()).collect();
    assert_eq!(essential, ["services[0].hots", "services[0].routes[0].path"]);
    assert_eq!(
        problems.fields()["services"][0]["host"],
        "required field missing",
        "Kong says it all the same"
    );
}

#[test]
fn what_is_not_there_does_not_clash() {
    let problems = refused("_format_version: '3.0'\nplugins:\n- {}\n- {}\nconsumers:\n- {}\n- {}");
    assert!(problems.iter().all(|problem| !problem.message.contains("uniqueness")), "{problems}");
    assert_eq!(problems.len(), 4);
}

#[test]
fn a_key_given_twice_is_refused() {
    let problems = refused("_format_version: '3.0'\nservices:\n- name: a\n  host: h\n  host: i\n");
    assert_eq!(problems.to_string(), "5:3: services[0].host: field given twice");
    let json = "{\"_format_version\":\"3.0\",\n\"services\":[{\"name\":\"a\",\"host\":\"h\",\n\"host\":\"i\"}],\n\"services\":[]}";
    let told = "3:1: services[0].host: field given twice\n4:1: services: field given twice";
    assert_eq!(refused(json).to_string(), told);
}

#[test]
fn keys_and_certificates_must_be_what_they_say() {
    one("keys:\n- {kid: a}", "", "at least one of these fields must be non-empty: 'jwk', 'pem'");
    one("keys:\n- {kid: a, jwk: '{\"kid\":\"b\"}'}", "", "kid in jwk.kid must be equal to keys.kid");
    one("ca_certificates:\n- {cert: x}", "cert", "invalid certificate: no PEM certificate found");
    one("vaults:\n- {name: aws, prefix: my-aws}", "name", "vault 'aws' is not installed");
}

#[test]
fn one_entity_can_be_checked_alone() {
    let check = |collection: &str, entity| Config::check_entity(collection, &entity, &Tables::new());
    let plugin =
        check("plugins", json!({"name": "cors", "route": {"id": "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01"}}));
    let plugin = plugin.expect("a collection").expect("right");
    assert_eq!(plugin["route"], json!({"id": "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01"}));
    assert_eq!(plugin["config"]["credentials"], false);
    let route = check("routes", json!({"name": "r", "service": {"name": "s"}, "paths": ["/a", "x"]}));
    let violation = route.expect("a collection").expect_err("wrong").schema_violation();
    assert_eq!(
        violation,
        json!({
            "code": 2,
            "name": "schema violation",
            "message": "schema violation (paths.2: should start with: / (fixed path) or ~/ (regex path))",
            "fields": {"paths": [null, "should start with: / (fixed path) or ~/ (regex path)"]},
        })
    );
    assert!(check("nothing", json!({})).is_none());
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
    assert_eq!(service["properties"]["protocol"]["enum"][0], "grpc");
    assert_eq!(service["properties"]["tags"]["type"], json!(["array", "null"]));
    assert!(service["properties"]["tags"]["items"]["pattern"].is_string());
    assert!(schema::entity("nothing").is_none());
    let kong = schema::entity("upstreams").expect("there").kong_schema();
    let slots =
        kong["fields"].as_array().into_iter().flatten().find_map(|field| field.get("slots")).expect("there");
    assert_eq!(slots["between"], json!([10, 65536]));
    assert_eq!(slots["default"], 10_000);
    let cors = Tables::new().schema("cors").expect("there").kong_plugin_schema();
    assert_eq!(
        cors["fields"][0],
        json!({"consumer": {"type": "foreign", "reference": "consumers", "eq": null}})
    );
    assert_eq!(cors["fields"][4]["config"]["fields"][0]["origins"]["elements"], json!({"type": "string"}));
    let file = schema::file_schema();
    assert_eq!(file["$defs"]["services"]["properties"]["routes"]["items"]["$ref"], "#/$defs/routes");
}
