//! What clients and upstreams see of hmac-auth (compat P23).
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::HmacAuth;
use plugin_sdk::{
    contract::crypto::{Digest, Hash, Key, VerifyMac},
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Whether the real gateway answers: it verifies signatures itself.
fn is_real() -> bool {
    std::env::var_os("PLUGIN_TESTBED").is_some()
}

macro_rules! hmac {
    ($hash:ty, $secret:expr, $data:expr) => {{
        let mut mac = Hmac::<$hash>::new_from_slice($secret).unwrap();
        mac.update($data);
        mac.finalize().into_bytes().to_vec()
    }};
}

fn mac(hash: Hash, secret: &[u8], data: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => hmac!(Sha1, secret, data),
        Hash::Sha256 => hmac!(Sha256, secret, data),
        Hash::Sha384 => hmac!(Sha384, secret, data),
        Hash::Sha512 => hmac!(Sha512, secret, data),
        Hash::Md5 => Vec::new(),
    }
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn gateway(config: Value) -> Gateway {
    let seconds = now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let gateway = Gateway::new::<HmacAuth>(config).unwrap().at(seconds);
    let gateway =
        gateway.consumer("bob", |bob| bob.hmac("bob", "secret")).consumer("nobody", |nobody| nobody);
    if is_real() {
        return gateway;
    }
    gateway
        .function(|call: VerifyMac<'static>| {
            assert!(matches!(call.key, Key::Credential { field: "secret", .. }));
            mac(call.hash, b"secret", call.data) == call.mac
        })
        .function(|call: Digest<'static>| {
            assert_eq!(call.hash, Hash::Sha256);
            &*Sha256::digest(call.data).to_vec().leak()
        })
}

fn date() -> String {
    httpdate::fmt_http_date(now())
}

/// The field of a signature of `lines`.
fn signature(algorithm: &str, headers: &str, lines: &[&str]) -> String {
    let hash = match algorithm {
        "hmac-sha1" => Hash::Sha1,
        "hmac-sha384" => Hash::Sha384,
        "hmac-sha512" => Hash::Sha512,
        _ => Hash::Sha256,
    };
    let signature = STANDARD.encode(mac(hash, b"secret", lines.join("\n").as_bytes()));
    format!(r#"hmac username="bob", algorithm="{algorithm}", headers="{headers}", signature="{signature}""#)
}

/// A request signed over its date.
fn dated(request: Request) -> Request {
    let date = date();
    let field = signature("hmac-sha256", "date", &[&format!("date: {date}")]);
    request.header("date", &date).header("authorization", &field)
}

fn told(answer: &Answer) -> (u16, String) {
    let who =
        |answer: &Answer| answer.upstream().header("x-consumer-username").unwrap_or_default().to_owned();
    let said = if answer.is_forwarded() { who(answer) } else { answer.message().unwrap_or_default() };
    (answer.status(), said)
}

const NO_DATE: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const NOT_VALID: &str = "HMAC signature cannot be verified";
const NOT_SAME: &str = "HMAC signature does not match";

fn refused(config: Value, request: Request, message: &str) {
    let answer = gateway(config.clone()).send(request.clone());
    assert_eq!(told(&answer), (401, message.to_owned()), "{config} {request:?}");
    assert_eq!(answer.header("www-authenticate"), Some("hmac"));
    assert!(answer.text().contains("request_id"), "in the gateway's own form");
}

fn admitted(config: Value, request: Request) -> Answer {
    let answer = gateway(config.clone()).send(request.clone());
    assert_eq!(told(&answer), (200, "bob".to_owned()), "{config} {request:?}");
    answer
}

#[test]
fn of_two_signatures_none_counts() {
    let twice = dated(Request::get("/")).header("authorization", "hmac username=\"eve\"");
    let answer = gateway(json!({})).send(twice);
    assert_eq!(told(&answer), (401, NOT_VALID.to_owned()));
}

#[test]
fn signatures_are_of_what_the_client_lists() {
    let date = date();
    let (dated, target) = (format!("date: {date}"), "/a/b?c=d%20e");
    for (headers, lines) in [
        ("date", vec![&*dated]),
        ("x-date date", vec!["x-date:", &dated]),
        ("date request-line", vec![&dated, "GET /a/b?c=d%20e HTTP/1.1"]),
        ("@request-target date", vec!["@request-target: get /a/b?c=d%20e", &dated]),
        ("date content-md5 x-a", vec![&dated, "content-md5:", "x-a: one"]),
        ("date :path", vec![&dated, ":path:"]),
    ] {
        for algorithm in ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"] {
            for field in ["authorization", "proxy-authorization"] {
                let request = Request::get(target).header("x-a", "one").header("date", &date);
                admitted(json!({}), request.header(field, &signature(algorithm, headers, &lines)));
            }
        }
    }
}

#[test]
fn what_is_not_signed_or_wrongly_is_refused_as_in_kong() {
    let (get, date) = (|| Request::get("/"), date());
    let line = format!("date: {date}");
    let good = signature("hmac-sha256", "date", &[&line]);
    refused(json!({}), get(), "Unauthorized");
    refused(json!({}), get().header("authorization", &good), NO_DATE);
    refused(json!({}), get().header("authorization", &good).header("date", "yesterday"), NO_DATE);
    for late in [now() - Duration::from_secs(400), now() + Duration::from_secs(400)] {
        let date = httpdate::fmt_http_date(late);
        let field = signature("hmac-sha256", "date", &[&format!("date: {date}")]);
        let request = || get().header("date", &date).header("authorization", &field);
        refused(json!({}), request(), NO_DATE);
        admitted(json!({ "clock_skew": 500 }), request());
    }
    let with = |field: &str| get().header("date", &date).header("authorization", field);
    for bad in [
        "Basic YTpi",
        "hmac",
        &good.replace("bob", "eve"),
        &good.replace("hmac-sha256", "hmac-sha224"),
        &good.replace("signature=", "sig="),
    ] {
        refused(json!({}), with(bad), NOT_VALID);
    }
    refused(json!({ "algorithms": ["hmac-sha512"] }), with(&good), NOT_VALID);
    for bad in
        [&good.replace("headers=\"date\"", "headers=\"date x\""), &good.replace("hmac-sha256", "hmac-sha1")]
    {
        refused(json!({}), with(bad), NOT_SAME);
    }
    refused(json!({}), with(&signature("hmac-sha256", "date", &["date: another"])), NOT_SAME);
    refused(json!({}), with(&good.replace("signature=\"", "signature=\"!")), NOT_SAME);
    // A field that is not `Date` has the date, and counts first.
    admitted(json!({}), with(&good).header("x-date", &date));
    admitted(json!({}), with(&good).header("x-date", "never"));
}

#[test]
fn a_date_that_was_not_signed_does_not_stand_in_for_one_that_was() {
    let old = httpdate::fmt_http_date(now() - Duration::from_secs(365 * 86_400));
    let field = signature("hmac-sha256", "date", &[&format!("date: {old}")]);
    let replayed = Request::get("/").header("date", &old).header("authorization", &field);
    refused(json!({}), replayed.clone(), NO_DATE);
    refused(json!({}), replayed.header("x-date", &date()), NO_DATE);
}

#[test]
fn headers_can_be_enforced() {
    let date = date();
    let lines = [format!("date: {date}"), "x-a: one".to_owned()];
    let lines = lines.each_ref().map(String::as_str);
    let request = || Request::get("/").header("date", &date).header("x-a", "one");
    let both = request().header("authorization", &signature("hmac-sha256", "date x-a", &lines));
    admitted(json!({ "enforce_headers": ["x-a"] }), both.clone());
    refused(json!({ "enforce_headers": ["x-a", "host"] }), both, NOT_VALID);
    refused(json!({ "enforce_headers": ["x-a"] }), dated(Request::get("/").header("x-a", "one")), NOT_VALID);
}

#[test]
fn bodies_must_fit_their_digest_where_that_is_asked() {
    let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(b"hello world")));
    let asks = || json!({ "validate_request_body": true });
    let answer = admitted(asks(), dated(Request::post("/", "hello world").header("digest", &digest)));
    assert_eq!(answer.upstream().text(), "hello world");
    let pieces = Request::post("/", "").pieces(["hello", " ", "world"]).header("digest", &digest);
    assert_eq!(admitted(asks(), dated(pieces)).upstream().text(), "hello world");
    refused(asks(), dated(Request::post("/", "hello").header("digest", &digest)), NOT_SAME);
    refused(asks(), dated(Request::post("/", "hello")), NOT_SAME);
    refused(asks(), dated(Request::get("/").header("digest", &digest)), NOT_SAME);
    admitted(asks(), dated(Request::get("/")));
    admitted(json!({}), dated(Request::post("/", "hello").header("digest", &digest)));
    refused(asks(), Request::post("/", "hello"), "Unauthorized");
}

#[test]
fn the_upstream_is_told_who_calls_and_signatures_can_be_hidden() {
    let answer = admitted(json!({}), dated(Request::get("/")));
    assert_eq!(answer.upstream().header("x-credential-identifier"), Some("bob"));
    assert!(answer.upstream().header("authorization").is_some());
    let hides = json!({ "hide_credentials": true });
    let answer = admitted(hides, dated(Request::get("/").header("proxy-authorization", "Basic YTpi")));
    assert_eq!(answer.upstream().header("authorization"), None);
    assert_eq!(answer.upstream().header("proxy-authorization"), Some("Basic YTpi"));
}

#[test]
fn somebody_may_stand_in_and_refusals_name_the_realm() {
    let answer = gateway(json!({ "anonymous": "nobody" })).send(Request::get("/"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("nobody"));
    let answer = gateway(json!({ "realm": "mine" })).send(Request::get("/"));
    assert_eq!(answer.header("www-authenticate"), Some("hmac realm=\"mine\""));
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, said) in [
        (json!({ "clock_skew": 0 }), "config.clock_skew: value must be greater than 0"),
        (
            json!({ "algorithms": ["hmac-md5"] }),
            "config.algorithms[0]: expected one of: hmac-sha1, hmac-sha256, hmac-sha384, hmac-sha512",
        ),
        (json!({ "enforce_headers": "date" }), "config.enforce_headers: expected an array"),
        (json!({ "skew": 1 }), "config.skew: unknown field"),
    ] {
        let refusal = Gateway::new::<HmacAuth>(config).err().unwrap_or_default();
        assert!(refusal.ends_with(said), "{refusal}");
    }
}
