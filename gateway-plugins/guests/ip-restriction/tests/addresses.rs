//! Who comes in, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use ip_restriction::IpRestriction;
use plugin_sdk::{
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};

fn send(config: &Value, address: &str) -> Answer {
    Gateway::new::<IpRestriction>(config.clone()).unwrap().send(Request::get("/").client_ip(address))
}

#[test]
fn addresses_are_admitted_and_refused() {
    // compat P24
    for (config, address, status) in [
        (json!({ "deny": ["127.0.0.1"] }), "127.0.0.1", 403),
        (json!({ "deny": ["127.0.0.1"] }), "127.0.0.2", 200),
        (json!({ "allow": ["10.0.0.0/8"] }), "10.1.2.3", 200),
        (json!({ "allow": ["10.0.0.0/8"] }), "11.1.2.3", 403),
        (json!({ "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"] }), "10.1.2.3", 403),
        (json!({ "allow": ["2001:db8::/32"] }), "2001:db8::1", 200),
        (json!({ "allow": ["2001:db8::/32"] }), "10.0.0.1", 403),
    ] {
        assert_eq!(send(&config, address).status(), status, "{config} {address}");
    }
}

#[test]
fn refusals_name_the_address_or_say_what_the_configuration_says() {
    // compat P24
    let answer = send(&json!({ "deny": ["127.0.0.1"] }), "127.0.0.1");
    assert_eq!(answer.message().as_deref(), Some("IP address not allowed: 127.0.0.1"));
    assert!(!answer.is_forwarded());
    let answer = send(&json!({ "deny": ["::1"], "status": 418, "message": "Not you" }), "::1");
    assert_eq!((answer.status(), answer.message().as_deref()), (418, Some("Not you")));
    assert_eq!(send(&json!({ "deny": ["::1"], "status": 200 }), "::1").status(), 500);
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, refused) in [
        (json!({}), "at least one of these fields must be non-empty: "),
        (json!({ "allow": [] }), "at least one of these fields must be non-empty: "),
        (json!({ "allow": ["10.0.0.0/40"] }), "invalid ip or cidr range: '10.0.0.0/40'"),
    ] {
        let said = Gateway::new::<IpRestriction>(config.clone()).unwrap_err();
        assert!(said.contains(refused), "{config}: {said}");
    }
}
