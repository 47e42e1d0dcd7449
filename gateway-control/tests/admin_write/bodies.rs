//! The forms that bodies come in.

use gateway_control::store::Revision;
use serde_json::json;

use crate::kit::Node;

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_field_given_twice_is_refused_d35() {
    let node = Node::stored();
    let send = |path: &str, body: &str| {
        let answer = node.post(path, "application/json", body);
        (answer.status, answer.json()["message"].clone())
    };
    let twice = |path: &str| (400, json!(format!("schema violation ({path}: field given twice)")));
    assert_eq!(send("/services", r#"{"host":"good.example","host":"evil.example"}"#), twice("host"));
    let plugin = r#"{"name":"cors","config":{"max_age":1,"credentials":true,"max_age":2}}"#;
    assert_eq!(send("/plugins", plugin), twice("config.max_age"));
    assert_eq!(send("/schemas/plugins/validate", plugin), twice("config.max_age"));
    let batch = r#"{"operations":[{"method":"POST","path":"/services","body":{"host":"a","host":"b"}}]}"#;
    assert_eq!(send("/batch", batch), twice("operations.1.body.host"));
    let (status, message) =
        send("/config", r#"{"_format_version":"3.0","services":[{"host":"a","host":"b"}]}"#);
    assert!(status == 400 && message.as_str().unwrap().contains("field given twice"), "{message}");
    let part = "--x\r\nContent-Disposition: form-data; name=\"config\"\r\nContent-Type: application/json\r\n\r\n\
        {\"max_age\":1,\"max_age\":2}\r\n--x--\r\n";
    let multipart = node.post("/plugins", "multipart/form-data; boundary=x", part);
    assert_eq!(multipart.json()["message"], "schema violation (max_age: field given twice)");
    assert_eq!(node.control.revision(), Some(Revision::NONE), "nothing was made");
}

#[test]
fn forms_are_entities_a3_m4() {
    let node = Node::stored();
    let made =
        node.post("/services", FORM, "name=s1&url=http%3A%2F%2Fu.t%3A81%2Fp&tags[]=a&tags[]=b&retries=3");
    let service = made.json();
    assert_eq!(made.status, 201, "{service}");
    assert_eq!(
        (&service["port"], &service["retries"], &service["path"]),
        (&json!(81), &json!(3), &json!("/p"))
    );
    assert_eq!(service["tags"], json!(["a", "b"]));
    let route = "name=r1&paths[]=/a&paths[]=/b&hosts[2]=b.t&hosts[1]=a.t&strip_path=false&headers.x-a=1";
    let route = node.post("/services/s1/routes", FORM, route).json();
    assert_eq!((&route["paths"], &route["hosts"]), (&json!(["/a", "/b"]), &json!(["a.t", "b.t"])));
    assert_eq!((&route["strip_path"], &route["headers"]), (&json!(false), &json!({ "x-a": ["1"] })));
    let plugin = "name=cors&config.max_age=5&config.origins=http%3A%2F%2Fa.t&config.credentials=true";
    let plugin = node.post("/routes/r1/plugins", FORM, plugin).json();
    let config = &plugin["config"];
    assert_eq!((&config["max_age"], &config["credentials"]), (&json!(5), &json!(true)));
    assert_eq!(config["origins"], json!(["http://a.t"]));
    let path = format!("/plugins/{}", plugin["id"].as_str().unwrap());
    let patched = node.ask("PATCH", &path, FORM, "config.max_age=6&enabled=false").json();
    assert_eq!((&patched["config"]["max_age"], &patched["enabled"]), (&json!(6), &json!(false)));
    assert_eq!(patched["config"]["credentials"], true);
    let by_id = format!("service.id={}&paths=/c", service["id"].as_str().unwrap());
    assert_eq!(node.post("/routes", FORM, &by_id).json()["service"]["id"], service["id"]);
    assert_eq!(node.post("/routes", FORM, "service.name=s1&paths=/d").status, 201);
    let emptied = node.ask("PATCH", "/services/s1", FORM, "path=&tags=").json();
    assert_eq!((&emptied["path"], &emptied["tags"]), (&json!(null), &json!(null)));
    let refused = node.post("/services", FORM, "host=h&port=many").json();
    assert_eq!(refused["fields"], json!({ "port": "expected an integer" }));
}

#[test]
fn multipart_forms_are_entities_m4() {
    let node = Node::stored();
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("name", "s1") + &part("host", "h") + &part("port", "81") + "--B--\r\n";
    let made = node.post("/services", "multipart/form-data; boundary=B", &body);
    assert_eq!((made.status, &made.json()["port"]), (201, &json!(81)), "{}", made.text);
}

#[test]
fn bodies_that_are_none_a28_d24_d25() {
    let node = Node::stored();
    let bad = json!({ "message": "Cannot parse JSON body" });
    for body in ["{", "[1]", "[]", "1", "null", "", "{\"name\":\"a\"} x"] {
        node.post("/services", "application/json", body).is(400, &bad);
    }
    for kind in ["text/plain", "application/xml", ""] {
        assert_eq!(node.post("/services", kind, "name=a").status, 415, "{kind}");
    }
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    assert_eq!(node.post("/consumers/alice/key-auth", "", "").status, 201, "no body is no fields");
    let json = "application/json; charset=utf-8";
    assert_eq!(node.post("/services", json, "{\"host\":\"h\"}").status, 201);
    let long = format!("{{\"host\":\"{}\"}}", "h".repeat(11 << 20));
    node.post("/services", json, &long).is(413, &json!({ "message": "Payload too large" }));
    let deep = format!("{{\"host\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    node.post("/services", json, &deep).is(400, &bad);
}

#[test]
fn a_page_of_another_site_changes_nothing_d37() {
    let node = Node::stored();
    let body = json!({ "host": "h" }).to_string();
    let fields = "Host: evil.example\r\nContent-Type: application/json\r\n";
    assert_eq!(node.ask_with("POST", "/services", fields, &body).status, 403);
    assert_eq!(node.get("/services").json()["data"], json!([]));
}
