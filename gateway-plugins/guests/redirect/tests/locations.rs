//! Where clients are sent, by the rows of docs/compat/proxy.md.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use plugin_sdk::testing::{Gateway, Request, json};
use redirect::Redirect;

#[test]
fn clients_are_sent_to_the_location() {
    // compat P32
    for (config, target, status, location) in [
        (json!({ "location": "https://a.example/b?c#d" }), "/x?y", 301, "https://a.example/b?c#d"),
        (json!({ "location": "https://a.example", "status_code": 302 }), "/x", 302, "https://a.example"),
        (
            json!({ "location": "https://a.example/b?c", "keep_incoming_path": true }),
            "/x/y?z=1",
            301,
            "https://a.example/x/y?z=1",
        ),
        (
            json!({ "location": "https://a.example:8443?c#d", "keep_incoming_path": true }),
            "/x",
            301,
            "https://a.example:8443/x#d",
        ),
    ] {
        let answer = Gateway::new::<Redirect>(config.clone()).unwrap().send(Request::get(target));
        assert_eq!((answer.status(), answer.header("location")), (status, Some(location)), "{config}");
        assert_eq!((answer.text().as_str(), answer.is_forwarded()), ("redirecting", false));
        assert_eq!(answer.header("content-type").unwrap_or_default(), "");
    }
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    for (config, refused) in [
        (json!({}), "config.location: required field missing"),
        (
            json!({ "location": "https://a.example", "status_code": 600 }),
            "config.status_code: value should be between 100 and 599",
        ),
        (
            json!({ "location": "https://a.example", "status_code": 101 }),
            "status_code: no answer ends with a status below 200",
        ),
        (json!({ "location": "https://a.example/\r\nx: y" }), "location: must not have control characters"),
    ] {
        let said = Gateway::new::<Redirect>(config).unwrap_err();
        assert!(said.ends_with(refused), "{said}");
    }
}
