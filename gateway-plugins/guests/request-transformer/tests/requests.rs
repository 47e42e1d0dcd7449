//! What becomes of requests, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use plugin_sdk::{
    contract::{request::Target, var::Get},
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};
use request_transformer::RequestTransformer;

fn gateway(config: &Value) -> Gateway {
    Gateway::new::<RequestTransformer>(config.clone()).unwrap()
}

fn send(config: &Value, request: Request) -> Answer {
    gateway(config).send(request)
}

/// The fields that rules are about here; the gateway writes others.
const OWN: [&str; 3] = ["x-a", "x-b", "x-c"];

#[test]
fn header_fields_are_removed_renamed_replaced_added_and_appended_in_this_order() {
    // compat P30
    for (config, expected) in [
        (json!({ "remove": { "headers": ["X-A", "host"] } }), vec![("x-b", "3")]),
        (json!({ "rename": { "headers": ["x-a:X-C"] } }), vec![("x-b", "3"), ("x-c", "1"), ("x-c", "2")]),
        (json!({ "replace": { "headers": ["x-a:9", "x-c:9"] } }), vec![("x-a", "9"), ("x-b", "3")]),
        (
            json!({ "add": { "headers": ["x-b:9", "x-c:9"] } }),
            vec![("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-c", "9")],
        ),
        (
            json!({ "append": { "headers": ["x-b:9"] } }),
            vec![("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-b", "9")],
        ),
        (
            json!({
                "remove": { "headers": ["x-a"] }, "rename": { "headers": ["x-b:x-a"] },
                "replace": { "headers": ["x-a:4"] }, "add": { "headers": ["x-b:5"] }, "append": { "headers": ["x-a:6"] },
            }),
            vec![("x-a", "4"), ("x-a", "6"), ("x-b", "5")],
        ),
    ] {
        let request = Request::get("/").header("x-a", "1").header("x-a", "2").header("x-b", "3");
        let answer = send(&config, request);
        let upstream = answer.upstream();
        let mut fields: Vec<_> = upstream.headers().filter(|(name, _)| OWN.contains(name)).collect();
        fields.sort();
        assert_eq!(fields, expected, "{config}");
        assert_eq!(upstream.header("host"), Some("example.com"));
    }
    let answer = send(&json!({ "replace": { "headers": ["Host:other.example"] } }), Request::get("/"));
    assert_eq!(answer.upstream().header("host"), Some("other.example"));
}

#[test]
fn the_query_comes_out_sorted_by_key() {
    // compat P30
    for (config, target, expected) in [
        (json!({ "remove": { "querystring": ["a"] } }), "/x?b=2&a=1&c=x%20y", "/x?b=2&c=x+y"),
        (json!({ "remove": { "querystring": ["a"] } }), "/x?a", "/x"),
        (json!({ "rename": { "querystring": ["a:z"] } }), "/x?a=1&b=2&a=3", "/x?b=2&z=1&z=3"),
        (json!({ "replace": { "querystring": ["a:9", "n:9"] } }), "/x?a=1&a=2", "/x?a=9"),
        (json!({ "add": { "querystring": ["a:9", "n:9"] } }), "/x?a=1", "/x?a=1&n=9"),
        (json!({ "append": { "querystring": ["a:9"] } }), "/x?b&a=1", "/x?a=1&a=9&b"),
        (json!({ "add": { "querystring": ["q:$(headers.x_q)"] } }), "/x", "/x?q=a%26b"),
        (json!({ "add": { "headers": ["a:1"] } }), "/x?b=2&a=%20", "/x?b=2&a=%20"),
    ] {
        let answer = send(&config, Request::get(target).header("x-q", "a&b"));
        assert_eq!(answer.upstream().path_and_query(), expected, "{config} {target}");
    }
}

#[test]
fn templates_take_from_header_fields_the_query_the_path_and_other_plugins() {
    // compat P30
    for (template, value) in [
        ("$(headers.host)", "example.com"),
        ("$(headers['x-user'])-$(headers.x_user)", "alice-alice"),
        ("$(query_params.page)", "2"),
        ("$(shared.mood)", "fine"),
        ("$(headers.none or 'nobody')", "nobody"),
        ("a$(headers.none)b", "ab"),
    ] {
        let config = json!({ "add": { "headers": [format!("x-tpl:{template}")] } });
        let mut gateway =
            gateway(&config).function(|get: Get<'static>| (get.name == "mood").then_some(&b"fine"[..]));
        let answer = gateway.send(Request::get("/?page=2").header("x-user", "alice"));
        assert_eq!(answer.upstream().header("x-tpl"), Some(value), "{template}");
    }
    let config = json!({ "add": { "headers": ["x-tpl:$(headers.x_user)"] } });
    let request = Request::get("/").header("x_user", "root").header("x-user", "alice");
    assert_eq!(
        send(&config, request).upstream().header("x-tpl"),
        Some("alice"),
        "a client's name with _ beside it"
    );
    let config =
        json!({ "remove": { "headers": ["apikey"] }, "add": { "headers": ["x-key:$(headers.apikey)"] } });
    let answer = send(&config, Request::get("/").header("apikey", "abc"));
    assert_eq!(answer.upstream().header("x-key"), Some("abc"), "what templates see is what came");
}

#[test]
fn the_path_is_replaced_and_the_query_stays() {
    // compat P30
    for (uri, expected) in
        [("/new/$(query_params.q)", "/new/1?q=1"), ("/new/$(headers.x_evil)", "/new/a%20HTTP/1.1%3Fb?q=1")]
    {
        let request = Request::get("/users/7?q=1").header("x-evil", "a HTTP/1.1?b");
        let answer = send(&json!({ "replace": { "uri": uri } }), request);
        assert_eq!(answer.upstream().path_and_query(), expected);
    }
    let answer = send(&json!({ "replace": { "uri": "$(headers.none)" } }), Request::get("/"));
    assert_eq!((answer.status(), answer.is_forwarded()), (500, false));
}

#[test]
fn what_the_route_captured_is_there_for_templates() {
    // compat P30
    if std::env::var_os("PLUGIN_TESTBED").is_some() {
        // The testbed's route captures nothing: the real gateway's does in gateway-plugins/tests/traffic.rs.
        return;
    }
    let config = json!({ "replace": { "uri": "/new/$(uri_captures.id)" } });
    let mut gateway = gateway(&config).property(&["uri_captures", "id"], "7 a");
    assert_eq!(gateway.send(Request::get("/users/7?q=1")).upstream().path_and_query(), "/new/7%20a?q=1");
}

#[test]
fn what_the_route_made_of_the_path_is_what_is_changed() {
    let mut gateway =
        gateway(&json!({ "add": { "querystring": ["a:1"] } })).function(|_: Target| "/base/x?b=2");
    assert_eq!(gateway.send(Request::get("/route/x?b=2")).upstream().path_and_query(), "/base/x?a=1&b=2");
}

#[test]
fn a_form_goes_into_the_query_of_a_request_without_a_body() {
    let request =
        Request::post("/x?b=2", "a=1&b=3").header("content-type", "application/x-www-form-urlencoded");
    let answer = send(&json!({ "http_method": "GET" }), request);
    let upstream = answer.upstream();
    assert_eq!((upstream.method(), upstream.path_and_query()), ("GET", "/x?a=1&b=2&b=3"));
    let answer = send(&json!({ "http_method": "PUT" }), Request::post("/", "x"));
    assert_eq!((answer.upstream().method(), answer.upstream().text().as_str()), ("PUT", "x"));
}

const RULES: &str = r#"{
    "remove": { "body": ["a"] }, "rename": { "body": ["b:c"] }, "replace": { "body": ["d:4", "n:4"] },
    "add": { "body": ["d:5", "e:$(headers.x_e)"] }, "append": { "body": ["e:6"] }
}"#;

#[test]
fn a_body_that_is_not_what_it_says_is_refused_where_rules_touch_it() {
    let whole = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x";
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", "\u{feff}{\"a\":1}"),
        ("application/json; charset=utf-8", "{\"a\":1,}"),
        ("application/json", "{/*b*/\"a\":1}"),
        ("application/json", "{'a':1}"),
        ("application/json", "{\"a\":NaN}"),
        ("application/json", "{\"a\":1}{}"),
        ("multipart/form-data; boundary=x", whole),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=b; name=a\r\n\r\n1\r\n--x--\r\n",
        ),
    ] {
        let request = || Request::post("/", body).header("content-type", kind);
        let answer = send(&json!({ "remove": { "body": ["a"] } }), request());
        assert_eq!(
            (answer.status(), answer.message().as_deref()),
            (400, Some("Cannot parse request body")),
            "{kind}: {body}"
        );
        // Nobody has asked for anything to be done to it.
        let answer = send(&json!({ "remove": { "headers": ["a"] } }), request());
        assert_eq!(answer.upstream().text(), body);
    }
}

#[test]
fn bodies_are_changed_as_their_type_says() {
    let config: Value = plugin_sdk::serde_json::from_str(RULES).unwrap();
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let whole = |parts: &[(&str, &str)]| {
        parts.iter().map(|(name, value)| part(name, value)).collect::<String>() + "--x--\r\n"
    };
    for (kind, body, expected) in [
        (
            "application/json",
            r#"{"a":1,"b":[2],"d":3}"#.to_owned(),
            r#"{"d":"4","c":[2],"e":["5","6"]}"#.to_owned(),
        ),
        (
            "application/x-www-form-urlencoded",
            "a=1&b=2&d=3&z=x+y".to_owned(),
            "c=2&d=4&e=5&e=6&z=x+y".to_owned(),
        ),
        (
            "multipart/form-data; boundary=x",
            whole(&[("a", "1"), ("b", "2"), ("d", "3")]),
            whole(&[("c", "2"), ("d", "4"), ("e", "5")]),
        ),
        ("text/plain", "a=1".to_owned(), "a=1".to_owned()),
        ("application/json", "[1]".to_owned(), "[1]".to_owned()),
    ] {
        let request = Request::post("/", body.clone()).header("content-type", kind).header("x-e", "5");
        assert_eq!(send(&config, request).upstream().text(), expected, "{kind}: {body}");
        let (one, other) = body.split_at(1);
        let request =
            Request::post("/", "").header("content-type", kind).header("x-e", "5").pieces([one, other]);
        assert_eq!(send(&config, request).upstream().text(), expected, "{kind} in pieces: {body}");
    }
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, refused) in [
        (
            json!({ "add": { "headers": ["x:$(os.exit())"] } }),
            "value '$(os.exit())' is not in supported format, error:expected headers, query_params, uri_captures, \
             shared or a text at 'os.exit())': Lua is not run",
        ),
        (json!({ "remove": { "headers": [1] } }), "config.remove.headers[0]: expected a string"),
    ] {
        let said = Gateway::new::<RequestTransformer>(config).unwrap_err();
        assert!(said.ends_with(refused), "{said}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let fields = json!({ "replace": { "headers": ["x-user:$(query_params.user)"] } });
    let path = json!({ "replace": { "uri": "/tenants/$(query_params.t)/data" } });
    let form = json!({ "remove": { "body": ["role"] } });
    let encoded = Request::post("/", "role=admin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", "gzip");
    let long = json!({ "add": { "querystring": [format!("a:{}", "a".repeat(40_000))] } });
    for (config, request, status, message) in [
        (&fields, Request::get("/?user=%0A").header("x-user", "admin"), 400, "Invalid header value"),
        (&path, Request::get("/?t=../../admin"), 400, "Invalid path"),
        (&path, Request::get("/?t=%252e%252E"), 400, "Invalid path"),
        (&form, encoded, 400, "Cannot parse request body"),
        (&long, Request::get("/"), 414, "URI Too Long"),
    ] {
        let answer = send(config, request);
        assert_eq!((answer.status(), answer.message().as_deref()), (status, Some(message)), "{config}");
    }
    let answer = send(&path, Request::get("/?t=a"));
    assert_eq!(
        answer.upstream().path_and_query().split_once("?").map_or("", |(path, _)| path),
        "/tenants/a/data"
    );
}
