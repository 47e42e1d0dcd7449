//! Whatever is asked: what is refused changes nothing, and node and store are of one mind.

use std::sync::Arc;

use gateway_control::store::{Memory, Store};
use proptest::{prelude::*, sample::select, test_runner::Config as Cases};
use serde_json::{Value, json};

use crate::kit::Node;

#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    path: String,
    body: Value,
}

fn asked() -> impl Strategy<Value = Asked> {
    let name = || select(vec!["a", "b", "c"]);
    let path = prop_oneof![
        select(vec![
            "/services",
            "/routes",
            "/upstreams",
            "/consumers",
            "/plugins",
            "/consumer_groups",
            "/certificates",
            "/key-sets"
        ])
        .prop_map(str::to_owned),
        (
            select(vec![
                "services",
                "routes",
                "upstreams",
                "consumers",
                "consumer_groups",
                "plugins",
                "vaults",
                "key-auths"
            ]),
            name()
        )
            .prop_map(|(list, name)| format!("/{list}/{name}")),
        (name(), select(vec!["routes", "plugins"]))
            .prop_map(|(name, list)| format!("/services/{name}/{list}")),
        (name(), select(vec!["key-auth", "acls", "basic-auth", "plugins", "consumer_groups"]))
            .prop_map(|(name, list)| format!("/consumers/{name}/{list}")),
        (name(), name(), select(vec!["key-auth", "acls", "consumer_groups"]))
            .prop_map(|(name, key, list)| format!("/consumers/{name}/{list}/{key}")),
        (name(), name()).prop_map(|(name, route)| format!("/services/{name}/routes/{route}")),
        (name(), name()).prop_map(|(name, target)| format!("/upstreams/{name}/targets/{target}")),
        name().prop_map(|name| format!("/routes/{name}/service")),
        name().prop_map(|name| format!("/consumer_groups/{name}/consumers")),
    ];
    let method = select(vec!["POST", "PUT", "PUT", "PATCH", "DELETE"]);
    (method, path, body()).prop_map(|(method, path, body)| Asked { method, path, body })
}

/// Fields of all kinds: right ones, wrong ones, those of other kinds.
fn body() -> impl Strategy<Value = Value> {
    let value = |values: &[Value]| select(values.to_vec());
    let name = || value(&[json!("a"), json!("b"), json!("c"), json!("no name!"), json!(null), json!(7)]);
    let field = prop_oneof![
        (Just("name"), name()),
        (Just("username"), name()),
        (Just("name"), value(&[json!("cors"), json!("correlation-id"), json!("nope")])),
        (Just("host"), value(&[json!("a"), json!("h.t"), json!(null), json!([1])])),
        (
            Just("paths"),
            value(&[json!(["/a"]), json!(["/b", "~/c"]), json!(["~/("]), json!("x"), json!(null)])
        ),
        (
            Just("service"),
            value(&[json!({ "name": "a" }), json!({ "name": "b" }), json!({ "id": "x" }), json!(null)])
        ),
        (Just("port"), value(&[json!(80), json!(81), json!(-1), json!("80")])),
        (Just("url"), value(&[json!("http://h.t:82/p"), json!("nothing")])),
        (Just("tags"), value(&[json!(["x", "y"]), json!([]), json!({}), json!(null)])),
        (Just("config"), value(&[json!({}), json!({ "max_age": 5 }), json!({ "max_age": "x" }), json!([])])),
        (Just("key"), name()),
        (Just("group"), name()),
        (Just("consumer"), name()),
        (Just("password"), value(&[json!("p"), json!("")])),
        (Just("weight"), value(&[json!(1), json!(70_000)])),
        (Just("id"), value(&[json!("3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01"), json!("x"), json!(null)])),
        (Just("created_at"), value(&[json!(5), json!("x"), json!(null)])),
    ];
    prop::collection::vec(field, 0..5).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}

proptest! {
    #![proptest_config(Cases { cases: 48, max_shrink_iters: 200, ..Cases::default() })]

    #[test]
    fn node_and_store_are_of_one_mind(all in prop::collection::vec(asked(), 1..40)) {
        let store = Arc::new(Memory::new());
        let node = Node::over(store.clone());
        for Asked { method, path, body } in all {
            let before = store.read().unwrap();
            let tried = node.send(method, &format!("{path}?dry_run=1"), &body);
            prop_assert_eq!(&store.read().unwrap(), &before, "only tried");
            let answer = node.send(method, &path, &body);
            let what = format!("{method} {path} {body}: {} {}", answer.status, answer.text);
            prop_assert!(answer.status < 500, "{}", what);
            prop_assert_eq!(tried.status >= 400, answer.status >= 400, "tried {}: {}", tried.text, what);
            let after = store.read().unwrap();
            if answer.status >= 400 {
                prop_assert_eq!(&after, &before, "{}", what);
            } else if let Some(id) = answer_id(&answer.text).filter(|_| after.revision != before.revision) {
                let shown = format!("\"id\":\"{id}\"");
                prop_assert!(serde_json::to_string(&before.config.diff(&after.config)).unwrap().contains(&shown), "{}", what);
            }
            let served = node.control.gateway().snapshot();
            prop_assert_eq!(served.config(), &after.config, "{}", what);
            prop_assert_eq!(&*node.control.config(), &after.config, "{}", what);
            prop_assert_eq!(node.control.revision(), Some(after.revision));
        }
        let again = Node::over(store.clone());
        prop_assert_eq!(again.control.config(), node.control.config(), "what is kept can be served");
        let shown = node.get("/config").json()["config"].as_str().unwrap().to_owned();
        let loaded = node.post("/config", "text/yaml", &shown);
        prop_assert_eq!(loaded.status, 201, "{}", loaded.text);
        prop_assert_eq!(store.read().unwrap().revision, again.control.revision().unwrap(), "what is shown is what is kept");
    }
}

fn answer_id(text: &str) -> Option<String> {
    let entity: Value = serde_json::from_str(text).ok()?;
    entity.get("id")?.as_str().map(str::to_owned)
}
