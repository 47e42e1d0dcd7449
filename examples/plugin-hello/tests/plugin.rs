//! What the plugin does, natively with `cargo test`, and built with `cargo xtask plugin test`.
use plugin_hello::PluginHello;
use plugin_sdk::testing::{Gateway, Request, json};

fn gateway() -> Gateway {
    Gateway::new::<PluginHello>(json!({ "guests": ["alice"] })).unwrap()
}

#[test]
fn who_is_expected_is_greeted() {
    let answer = gateway().send(Request::get("/").header("x-name", "alice"));
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("x-greeting"), Some("Hello, alice!"));
    assert_eq!(answer.upstream().header("x-name"), Some("alice"));
}

#[test]
fn others_are_sent_away() {
    let mut gateway = gateway();
    let answer = gateway.send(Request::get("/").header("x-name", "mallory"));
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.message().as_deref(), Some("You are not on the list"));
    assert!(!answer.is_forwarded());
    let (_, line) = gateway.lines().pop().unwrap();
    assert_eq!(line, "mallory is not expected");
}

#[test]
fn who_says_no_name_is_asked_for_it() {
    assert_eq!(gateway().send(Request::get("/")).status(), 401);
}

#[test]
fn a_list_without_guests_is_a_mistake() {
    let refused = Gateway::new::<PluginHello>(json!({ "guests": [] })).unwrap_err();
    assert_eq!(refused, "config.guests: length must be at least 1");
}
