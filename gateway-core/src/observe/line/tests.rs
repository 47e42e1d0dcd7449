use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::HeaderValue;
use serde_json::{Value, json};

use super::push_line;
use crate::{
    ConnectInfo, Reason, TlsInfo,
    config::{Consumer, Route, Service},
    plugin::{Exchange, Matched, Source},
    sanitize::Host,
};

fn exchange() -> Exchange {
    let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
    Exchange::new(Arc::new(info))
}

fn line(exchange: &Exchange) -> String {
    let mut out = Vec::new();
    push_line(&mut out, exchange, UNIX_EPOCH + Duration::from_millis(1_000_061));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_proxied_request_has_kongs_names() {
    let mut exchange = exchange();
    let (service, route) = (Arc::new(Service::new("s", "h")), Arc::new(Route::new("r")));
    let consumer = Arc::new(Consumer::new("alice"));
    exchange.matched = Some(Arc::new(Matched::new(Arc::clone(&route), Some(Arc::clone(&service)))));
    exchange.consumer = Some(Arc::clone(&consumer));
    exchange.uri = "http://h.example/a?b=%20".parse().unwrap();
    exchange.host = Host::from_field(&HeaderValue::from_static("h.example")).unwrap();
    exchange.source = Source::Service;
    exchange.tries = 1;
    exchange.endpoint = Some("127.0.0.1:9000".parse().unwrap());
    exchange.request_bytes = 3;
    exchange.response_bytes = 12;
    exchange.timings.forwarded = Some(Duration::from_micros(1005));
    exchange.timings.responded = Some(Duration::from_millis(60));
    exchange.timings.finished = Some(Duration::from_millis(61));
    let line = line(&exchange);
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.contains(r#""latencies":{"kong":1.005,"proxy":58.995,"receive":1.000,"request":61.000}"#));
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({
            "request": {
                "id": exchange.request_id.to_string(), "method": "GET", "uri": "/a?b=%20",
                "host": "h.example", "size": 3
            },
            "response": { "status": 200, "size": 12 },
            "latencies": { "kong": 1.005, "proxy": 58.995, "receive": 1.0, "request": 61.0 },
            "tries": 1,
            "endpoint": "127.0.0.1:9000",
            "service": { "id": service.id, "name": "s" },
            "route": { "id": route.id, "name": "r" },
            "consumer": { "id": consumer.id, "username": "alice" },
            "client_ip": "192.0.2.7",
            "started_at": 1_000_000,
            "source": "service"
        })
    );
}

#[test]
fn a_failure_has_its_reason_and_no_upstream() {
    let mut exchange = exchange();
    let tls = TlsInfo { version: Some("TLSv1.3"), cipher: Some("c"), ..TlsInfo::default() };
    exchange.connection = Arc::new(ConnectInfo::unknown().with_tls(tls));
    exchange.reason = Some(Reason::NoRoute);
    exchange.status = Reason::NoRoute.status();
    let line: Value = serde_json::from_str(&line(&exchange)).unwrap();
    assert_eq!(line["reason"], "no_route");
    assert_eq!(line["source"], "exit");
    assert_eq!(line["latencies"]["proxy"], -1);
    assert_eq!(line["request"]["tls"], json!({ "version": "TLSv1.3", "cipher": "c" }));
    assert!(line.get("service").is_none() && line.get("endpoint").is_none());
}

#[test]
fn plugins_that_have_several_versions_say_which_one_it_was() {
    let mut exchange = exchange();
    exchange.note_version(&"geo".into(), &"1.4.0".into());
    exchange.note_version(&"waf".into(), &"2 \"b\"".into());
    exchange.note_version(&"geo".into(), &"1.5.0".into());
    let line: Value = serde_json::from_str(&line(&exchange)).unwrap();
    assert_eq!(line["plugin_versions"], json!({ "geo": "1.4.0", "waf": "2 \"b\"" }));
}

#[test]
fn hostile_strings_stay_within_their_field_and_their_line() {
    for hostile in [
        "x\",\"source\":\"service",
        "\r\n{\"request\":{}}",
        "\u{1b}]0;title\u{7}\u{1b}[2J",
        "\u{9b}31m\u{85}\u{2028}\u{2029}\u{feff}\u{202e}",
        "\\\"\\u0000\0",
        "${jndi:ldap://x}",
    ] {
        let mut exchange = exchange();
        let mut consumer = Consumer::new("c");
        consumer.username = Some(hostile.to_owned());
        exchange.consumer = Some(Arc::new(consumer));
        exchange.uri = "/a\"b{}|?'<script>".parse().unwrap_or_default();
        let line = line(&exchange);
        assert!(!line.trim_end_matches('\n').chars().any(char::is_control), "{line:?}");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["consumer"]["username"], hostile);
        assert_eq!(parsed["source"], "exit");
    }
}

#[test]
fn a_buffer_that_holds_a_line_holds_the_next_without_growing() {
    let exchange = exchange();
    let mut out = Vec::new();
    push_line(&mut out, &exchange, UNIX_EPOCH);
    let (length, capacity) = (out.len(), out.capacity());
    out.clear();
    push_line(&mut out, &exchange, UNIX_EPOCH);
    assert_eq!((out.len(), out.capacity()), (length, capacity));
}
