//! Tables of entities, and checks by them; the fields of flavours.

use gateway_control::Control;
use gateway_core::{
    Gateway,
    config::{Config, derived_id},
    plugins,
    router::Flavor,
};
use serde_json::{Value, json};

use crate::kit::{KONG, Node};

#[test]
fn schemas_and_their_checks_a40() {
    let node = Node::serving(KONG);
    let service = node.get("/schemas/services").json();
    let field =
        |name: &str| service["fields"].as_array().unwrap().iter().find_map(|field| field.get(name)).cloned();
    assert_eq!(field("retries").unwrap()["default"], 5);
    assert_eq!(field("port").unwrap()["between"], json!([0, 65535]));
    let cors = node.get("/schemas/plugins/cors").json();
    assert!(cors["fields"].as_array().unwrap().iter().any(|field| field["config"]["type"] == "record"));
    assert_eq!(node.get("/schemas/nope").status, 404);
    let absent = json!({ "message": "No plugin named 'nope'" });
    node.get("/schemas/plugins/nope").is(404, &absent);
    // The older path has the fields of `config` alone.
    let config = cors["fields"].as_array().unwrap().iter().find_map(|field| field.get("config")).unwrap();
    node.get("/plugins/schema/cors").is(200, &json!({ "fields": config["fields"] }));
    node.get("/plugins/schema/nope").is(404, &absent);
    assert_eq!(node.post("/plugins/schema/cors", "application/json", "{}").status, 405);

    let valid = json!({ "message": "schema validation successful" });
    node.post("/schemas/services/validate", "application/json", r#"{"host":"h"}"#).is(200, &valid);
    node.post("/schemas/plugins/validate", "application/json", r#"{"name":"cors"}"#).is(200, &valid);
    let form = "application/x-www-form-urlencoded";
    node.post("/schemas/services/validate", form, "host=a&port=81").is(200, &valid);
    node.post("/schemas/plugins/validate", form, "name=cors&config.max_age=7").is(200, &valid);
    let refused = node.post("/schemas/services/validate", form, "host=a&port=70000").json();
    assert_eq!(refused["fields"], json!({ "port": "value should be between 0 and 65535" }));
    let refused = node.post("/schemas/plugins/validate", form, "name=cors&config.max_age=x").json();
    assert_eq!(refused["fields"]["config"]["max_age"], "expected a number");
    let refused = node.post("/schemas/services/validate", "application/json", r#"{"port":70000,"bogus":1}"#);
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    assert_eq!(refused["code"], 2);
    assert_eq!(
        refused["message"],
        "3 schema violations (bogus: unknown field; host: required field missing; \
         port: value should be between 0 and 65535)"
    );
    assert_eq!(refused["fields"]["host"], "required field missing");
}

#[test]
fn routes_of_the_flavour_expressions_show_its_fields_a4_a39() {
    let text = r#"
_format_version: "3.0"
routes:
- name: plain
  paths: [/]
- name: one
  expression: http.path == "/"
  priority: 7
"#;
    let mut settings = gateway_core::Settings::default();
    settings.router_flavor = Flavor::Expressions;
    let config = Config::parse(text, &plugins::bundled()).unwrap();
    let gateway = Gateway::builder().config(config).settings(settings).build().unwrap();
    let node = Node::of(Control::new(gateway).serving(text));

    let fields = |route: &Value| (route["expression"].clone(), route["priority"].clone());
    assert_eq!(fields(&node.get("/routes/plain").json()), (Value::Null, json!(0)));
    assert_eq!(fields(&node.get("/routes/one").json()), (json!("http.path == \"/\""), json!(7)));
    let all = node.get("/routes").json();
    assert!(all["data"].as_array().unwrap().iter().all(|route| route.get("expression").is_some()));
    let schema = node.get("/schemas/routes").json();
    let fields = schema["fields"].as_array().unwrap();
    let priority = fields.iter().find_map(|field| field.get("priority")).unwrap();
    assert_eq!((&priority["required"], &priority["default"]), (&json!(true), &json!(0)));
    assert_eq!(priority["between"], json!([0, 70_368_744_177_663_u64]));

    let check = |body: &Value| node.post("/schemas/routes/validate", "application/json", &body.to_string());
    assert_eq!(
        check(
            &json!({ "expression": "http.path == \"/\"", "service": { "id": derived_id("services", "s") } })
        )
        .status,
        200
    );
    let refused = check(&json!({ "expression": "foo == 1" }));
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    let message = refused["fields"]["@entity"][0].as_str().unwrap();
    assert!(
        message.starts_with("Router Expression failed validation: Unknown LHS field\n --> 1:1\n"),
        "{message}"
    );
    assert_eq!(refused["message"], format!("schema violation ({message})"));
}

#[test]
fn other_flavours_do_not_show_the_fields_of_expressions_a4() {
    let node = Node::serving(KONG);
    let route = node.get("/routes/users").json();
    assert!(route.get("expression").is_none() && route.get("priority").is_none(), "{route}");
}
