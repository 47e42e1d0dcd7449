use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Compression, Pattern};
use crate::{
    Body,
    plugins::testing::{handler, run},
};

const LONG: &str = "a text that is long enough, and long enough, and long enough to be worth it";

fn defaults() -> Value {
    json!({ "algorithms": ["zstd", "br", "gzip"], "content_types": ["text/*"], "min_length": 20, "level": 4 })
}

/// The head of what a client that asks so gets of an answer with these fields.
fn head(
    asked: &[(&str, &str)],
    status: u16,
    fields: &[(&'static str, &'static str)],
    body: &'static str,
) -> HeaderMap {
    let request =
        asked.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    fields
        .iter()
        .for_each(|(name, value)| _ = response.headers_mut().append(*name, HeaderValue::from_static(value)));
    let own = response.headers().contains_key("content-encoding");
    let handler = handler(&Compression::new(), &defaults());
    let response = run(&*handler, &mut request.body(Body::empty()).unwrap(), response).unwrap();
    let untouched = response.body().as_bytes().map_or(0, bytes::Bytes::len) == body.len();
    let encoded = response.headers().contains_key("content-encoding");
    assert_eq!(untouched, own || !encoded, "the head says what the body is");
    response.headers().clone()
}

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];
const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

#[test]
fn an_answer_is_compressed_and_its_head_says_so() {
    let head = head(
        GZIP,
        200,
        &[TEXT, ("content-length", "76"), ("etag", "\"a\""), ("accept-ranges", "bytes"), ("vary", "Origin")],
        LONG,
    );
    assert_eq!(head["content-encoding"], "gzip");
    assert_eq!(head["etag"], "W/\"a\"");
    assert!(!head.contains_key("content-length") && !head.contains_key("accept-ranges"));
    let vary: Vec<_> = head.get_all("vary").iter().collect();
    assert_eq!(vary, ["Origin", "accept-encoding"]);
}

#[test]
fn what_must_not_or_need_not_be_changed_is_left_alone() {
    let plain = HeaderValue::from_static("accept-encoding");
    for (asked, status, fields, body, varies) in [
        (&[][..], 200, &[TEXT][..], LONG, true),
        (&[("accept-encoding", "identity")], 200, &[TEXT], LONG, true),
        (&[("accept-encoding", "gzip"), ("cache-control", "no-transform")], 200, &[TEXT], LONG, false),
        (GZIP, 200, &[TEXT], "too short", false),
        (GZIP, 200, &[TEXT], "", false),
        (GZIP, 200, &[TEXT, ("content-encoding", "br")], LONG, false),
        (GZIP, 200, &[TEXT, ("cache-control", "max-age=1, No-Transform")], LONG, false),
        (GZIP, 200, &[TEXT, ("content-range", "bytes 0-9/99")], LONG, false),
        (GZIP, 206, &[TEXT], LONG, false),
        (GZIP, 204, &[TEXT], "", false),
        (GZIP, 304, &[TEXT], "", false),
        (GZIP, 200, &[TEXT, ("repr-digest", "sha-256=:AA==:")], LONG, false),
        (GZIP, 200, &[("content-type", "image/png")], LONG, false),
        (GZIP, 200, &[("content-type", "text/event-stream")], LONG, false),
        (GZIP, 200, &[], LONG, false),
    ] {
        let head = head(asked, status, fields, body);
        assert_eq!(head.get("vary") == Some(&plain), varies, "{asked:?} {status} {fields:?}");
        assert_ne!(head.get("content-encoding").map(HeaderValue::as_bytes), Some(&b"gzip"[..]), "{fields:?}");
    }
}

#[test]
fn the_answer_to_head_is_that_to_get_without_its_body() {
    let mut request = Request::head("/").header("accept-encoding", "br").body(Body::empty()).unwrap();
    let handler = handler(&Compression::new(), &defaults());
    let response = |length: &'static str| {
        Response::builder()
            .header(TEXT.0, TEXT.1)
            .header("content-length", length)
            .body(Body::empty())
            .unwrap()
    };
    let long = run(&*handler, &mut request, response("1000")).unwrap();
    assert_eq!(long.headers()["content-encoding"], "br");
    assert!(!long.headers().contains_key("content-length") && http_body::Body::is_end_stream(long.body()));
    let short = run(&*handler, &mut request, response("10")).unwrap();
    assert_eq!(short.headers()["content-length"], "10");
}

#[test]
fn types_are_named_with_one_star() {
    for (pattern, essence, matches) in [
        ("text/*", "text/html", true),
        ("application/*+json", "application/problem+json", true),
        ("application/*+json", "application/json", false),
        ("application/JSON", "application/json", true),
        ("*", "image/png", true),
        ("*", "text/event-stream", false),
        ("text/*", "text/event-stream", false),
        ("text/event-stream", "text/event-stream", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(Pattern::new(pattern).matches(essence), matches, "{pattern} {essence}");
    }
}
