use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderValue, Request, StatusCode};
use serde_json::{Value, json};

use super::push_record;
use crate::{
    Body, ConnectInfo, Reason, TlsInfo,
    config::{Consumer, Route, Service},
    plugin::{Exchange, Matched, Source},
    sanitize::Host,
};

fn exchange() -> Exchange {
    let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
    Exchange::new(Arc::new(info))
}

fn record(exchange: &Exchange) -> Value {
    let mut out = Vec::new();
    push_record(&mut out, exchange, UNIX_EPOCH + Duration::from_millis(1_000_061));
    assert!(!out.iter().any(u8::is_ascii_control));
    serde_json::from_slice(&out).unwrap()
}

fn forwarded() -> Exchange {
    let mut exchange = exchange();
    let request = Request::get("/up?a=1")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("authorization", "Basic c2VjcmV0");
    let request =
        request.header("apikey", "k").header("proxy-authorization", "x").body(Body::empty()).unwrap();
    exchange.record(&request);
    exchange.uri = "http://h.example/a?a=1&b=%20x&b=2&c&d=+".parse().unwrap();
    exchange.host = Host::from_field(&HeaderValue::from_static("h.example")).unwrap();
    exchange.source = Source::Service;
    exchange.begin_try("127.0.0.1:9000".parse().unwrap());
    exchange.fail_try(StatusCode::BAD_GATEWAY);
    exchange.begin_try("127.0.0.1:9001".parse().unwrap());
    exchange.withdraw_try();
    exchange.begin_try("127.0.0.1:9001".parse().unwrap());
    exchange.end_try(StatusCode::OK);
    exchange.record_response(&[(http::header::SERVER, HeaderValue::from_static("up"))].into_iter().collect());
    exchange.request_bytes = 3;
    exchange.response_bytes = 12;
    exchange.timings.forwarded = Some(Duration::from_micros(1005));
    exchange.timings.responded = Some(Duration::from_millis(60));
    exchange.timings.finished = Some(Duration::from_millis(61));
    exchange
}

#[test]
fn a_forwarded_request_has_kongs_fields() {
    let mut exchange = forwarded();
    let (service, route) =
        (Arc::new(Service::new("s", "h")), Arc::new(Route::new("r").to(&Service::new("s", "h"))));
    let consumer = Arc::new(Consumer::new("alice"));
    let matched = Matched::new(Arc::clone(&route), Some(Arc::clone(&service)));
    exchange.matched = Some(Arc::new(matched));
    exchange.consumer = Some(Arc::clone(&consumer));
    let mut record = record(&exchange);
    let tries = record["tries"].as_array_mut().unwrap();
    assert!(tries.iter_mut().all(|attempt| attempt["balancer_start"].take().as_u64() >= Some(1_000_000)));
    let (route, service) = (record["route"].take(), record["service"].take());
    assert_eq!(
        record,
        json!({
            "request": {
                "id": exchange.request_id.to_string(), "method": "GET", "uri": "/a?a=1&b=%20x&b=2&c&d=+",
                "url": "http://h.example:8000/a?a=1&b=%20x&b=2&c&d=+", "size": 3,
                "querystring": { "a": "1", "b": [" x", "2"], "c": true, "d": " " },
                "headers": { "x-a": ["1", "2"], "authorization": "REDACTED", "apikey": "REDACTED", "proxy-authorization": "REDACTED" }
            },
            "upstream_uri": "/up?a=1",
            "upstream_status": "502, 200",
            "response": { "status": 200, "headers": { "server": "up" }, "size": 12 },
            "latencies": { "kong": 1, "proxy": 58, "receive": 1, "request": 61 },
            "tries": [
                {
                    "ip": "127.0.0.1", "port": 9000, "balancer_start": null, "balancer_latency": 0,
                    "state": "failed", "code": 502
                },
                { "ip": "127.0.0.1", "port": 9001, "balancer_start": null, "balancer_latency": 0, "code": 200 }
            ],
            "route": null, "service": null,
            "consumer": { "id": consumer.id, "username": "alice", "created_at": 0, "updated_at": 0 },
            "client_ip": "192.0.2.7",
            "started_at": 1_000_000,
            "source": "service",
            "workspace": "default", "workspace_name": "default"
        })
    );
    assert_eq!((&route["name"], &route["protocols"]), (&json!("r"), &json!(["http", "https"])));
    assert_eq!((&route["service"], &service["name"]), (&json!({ "id": service["id"] }), &json!("s")));
    assert!(route.get("hosts").is_none() && service.get("path").is_none(), "what is not set is not there");
}

#[test]
fn an_answer_of_the_gateway_has_no_upstream_and_a_reason() {
    let mut exchange = exchange();
    let tls = TlsInfo { version: Some("TLSv1.3"), cipher: Some("c"), ..TlsInfo::default() };
    exchange.connection = Arc::new(ConnectInfo::unknown().with_tls(tls));
    exchange.reason = Some(Reason::NoRoute);
    let record = record(&exchange);
    assert_eq!((&record["reason"], &record["source"]), (&json!("no_route"), &json!("exit")));
    assert_eq!((&record["upstream_status"], &record["upstream_uri"]), (&json!(""), &json!("")));
    assert_eq!((&record["tries"], &record["latencies"]["proxy"]), (&json!([]), &json!(-1)));
    assert_eq!(record["request"]["querystring"], json!({}));
    assert_eq!(
        record["request"]["tls"],
        json!({ "version": "TLSv1.3", "cipher": "c", "client_verify": "NONE" })
    );
    assert!(record.get("service").is_none() && record.get("consumer").is_none());
}

#[test]
fn plugins_that_have_several_versions_say_which_one_it_was() {
    let mut exchange = exchange();
    exchange.note_version(&"geo".into(), &"1.4.0".into());
    exchange.note_version(&"waf".into(), &"2 \"b\"".into());
    exchange.note_version(&"geo".into(), &"1.5.0".into());
    assert_eq!(record(&exchange)["plugin_versions"], json!({ "geo": "1.4.0", "waf": "2 \"b\"" }));
}

#[test]
fn hostile_strings_stay_within_their_field_and_their_line() {
    let mut exchange = exchange();
    let hostile = "x\",\"source\":\"service\r\n{\u{1b}[2J\u{202e}";
    let mut consumer = Consumer::new("c");
    (consumer.username, consumer.tags) = (Some(hostile.to_owned()), Some(vec![hostile.to_owned()]));
    exchange.consumer = Some(Arc::new(consumer));
    exchange.uri = "/?%0d%0a%22=%00%ff&source=x".parse().unwrap();
    let request = Request::get("/").header("x", HeaderValue::from_bytes(b"\"\\\xff\t").unwrap());
    exchange.record(&request.body(Body::empty()).unwrap());
    let record = record(&exchange);
    assert_eq!(
        (&record["consumer"]["username"], &record["consumer"]["tags"][0]),
        (&json!(hostile), &json!(hostile))
    );
    assert_eq!(record["request"]["querystring"], json!({ "\r\n\"": "\0\u{fffd}", "source": "x" }));
    assert_eq!(record["request"]["headers"]["x"], "\"\\\u{fffd}\t");
    assert_eq!(record["source"], "exit");
}

#[test]
fn a_query_of_very_many_arguments_is_shown_as_far_as_kong_reads_it() {
    let mut exchange = exchange();
    let query: Vec<_> = (0..500).map(|number| format!("a{number}")).collect();
    exchange.uri = format!("/?{}", query.join("&")).parse().unwrap();
    assert_eq!(record(&exchange)["request"]["querystring"].as_object().unwrap().len(), 100);
}
