//! Lists of entities: pages, tags, paths, methods.

use gateway_core::config::derived_id;
use serde_json::{Value, json};

use crate::kit::{KONG, Node};

#[test]
fn empty_lists_a11() {
    Node::serving(KONG).get("/snis").is(200, &json!({ "data": [], "next": null }));
}

#[test]
fn pages_a12() {
    let node = Node::serving(KONG);
    let first = node.get("/services?size=1&tags=pg").json();
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with("/services?offset=") && next.ends_with("&size=1&tags=pg"), "{next}");
    let second = node.get(next).json();
    assert_eq!(second["next"], Value::Null);
    let mut ids = [&first, &second].map(|page| page["data"][0]["id"].as_str().unwrap().to_owned());
    assert!(ids[0] < ids[1], "in the order of ids");
    ids.sort();
    let mut expected = ["users", "other"].map(|name| derived_id("services", name).to_string());
    expected.sort();
    assert_eq!(ids, expected);
    let tags = node.get("/tags/pg?size=1").json();
    assert!(!tags["next"].as_str().unwrap().contains("size"), "{tags}");
    assert_eq!(node.get(tags["next"].as_str().unwrap()).json()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn sizes_offsets_and_tags_that_are_none_a13_a14_a15() {
    let node = Node::serving(KONG);
    let size = |message: &str| json!({ "code": 9, "name": "invalid size", "message": message });
    for path in ["/services?size=0", "/services?size=2000"] {
        node.get(path).is(400, &size("size must be an integer between 1 and 1000"));
    }
    node.get("/services?size=abc").is(400, &size("size must be a number"));
    let message = "'xx' is not a valid offset: bad json encoding";
    node.get("/services?offset=xx")
        .is(400, &json!({ "code": 7, "name": "invalid offset", "message": message }));
    node.get("/services?tags=a,b/c").is(
        400,
        &json!({
            "code": 11, "name": "invalid options",
            "message": "invalid option (tags: invalid filter syntax)",
            "options": { "tags": "invalid filter syntax" }
        }),
    );
}

#[test]
fn tags_a16() {
    let node = Node::serving(KONG);
    let tagged = |id: uuid::Uuid, tag: &str, name: &str| json!({ "tag": tag, "entity_name": name, "entity_id": id.to_string() });
    let answer = node.get("/tags/a").json();
    let alice = tagged(derived_id("consumers", "alice"), "a", "consumers");
    assert_eq!(answer["data"], json!([tagged(derived_id("services", "users"), "a", "services"), alice]));
    assert_eq!(node.get("/tags").json()["data"].as_array().unwrap().len(), 4);
    assert_eq!(node.get("/services?tags=pg,a").json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(node.get("/services?tags=pg/a").json()["data"].as_array().unwrap().len(), 2);
}

#[test]
fn a_trailing_slash_means_nothing_and_case_does_a17() {
    let node = Node::serving(KONG);
    assert_eq!(node.get("/services/").status, 200);
    assert_eq!(node.get("/services/users/?x=1").json()["name"], "users");
    assert_eq!(node.get("/Services").status, 404);
}

#[test]
fn what_is_not_there_a24() {
    let node = Node::serving(KONG);
    for path in [
        "/nope",
        "/services/nope",
        "/services/nope/routes",
        "/targets",
        "/routes/users/plugins/x",
        "/a/b/c/d",
    ] {
        node.get(path).is(404, &json!({ "message": "Not found" }));
    }
}

#[test]
fn wrong_methods_and_options_a27() {
    let node = Node::serving(KONG);
    node.ask("DELETE", "/services", "", "").is(405, &json!({ "message": "Method not allowed" }));
    node.ask("POST", "/status", "", "").is(405, &json!({ "message": "Method not allowed" }));
    let answer = node.ask("OPTIONS", "/services", "", "");
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("allow"), Some("get, head, options, post"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("get, head, options, post"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
}

#[test]
fn bodies_that_are_no_json_a28_and_kinds_that_are_not_read() {
    let node = Node::serving(KONG);
    let bad = json!({ "message": "Cannot parse JSON body" });
    node.post("/config", "application/json", "{").is(400, &bad);
    node.post("/config", "application/json", "[1]").is(400, &bad);
    assert_eq!(node.post("/config", "text/plain", "x").status, 415);
    assert_eq!(node.post("/config", "", "\u{fffd}").status, 400);
}

#[test]
fn lists_below_a_parent_and_the_way_up() {
    let node = Node::serving(KONG);
    let service = derived_id("services", "users").to_string();
    let routes = node.get("/services/users/routes").json();
    assert_eq!(routes["data"][0]["service"]["id"], service);
    assert_eq!(node.get(&format!("/services/{service}/routes/users")).json()["name"], "users");
    assert_eq!(node.get("/services/other/routes").json()["data"], json!([]));
    assert_eq!(node.get("/services/other/routes/users").status, 404);
    assert_eq!(node.get("/routes/users/service").json()["id"], service);
    assert_eq!(node.get("/routes/users/plugins").json()["data"][0]["name"], "cors");
    let key = node.get("/consumers/alice/key-auth").json();
    assert_eq!(key["data"][0]["key"], "wonderland");
    assert_eq!(key["data"][0].get("kind"), None);
    assert_eq!(node.get("/key-auths/wonderland/consumer").json()["username"], "alice");
    let target = node.get("/upstreams/pool/targets").json();
    assert_eq!(target["data"][0]["target"], "127.0.0.1:9102");
    assert_eq!(node.get("/upstreams/pool/targets/all").json()["data"], target["data"]);
}
