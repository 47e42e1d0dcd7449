use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts};

use super::{Rules, check_head, complete_refusal, sanitize};
use crate::{
    error::Reason::{
        self, BadHost, BadPath, BadRequest, CodingNotImplemented, ExpectationFailed, HeadTooLarge,
        MethodNotAllowed, UriTooLong, WebsocketVersion,
    },
    sanitize::{Compat, Strictness, Trailers},
};

/// `METHOD target version`, then fields, one a line.
fn head(text: &str) -> Parts {
    let mut lines = text.lines();
    let line: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(line[0].as_bytes()).unwrap();
    parts.uri = line[1].parse::<Uri>().unwrap();
    parts.version = match line[2] {
        "0.9" => Version::HTTP_09,
        "1.0" => Version::HTTP_10,
        "1.1" => Version::HTTP_11,
        _ => Version::HTTP_2,
    };
    for field in lines {
        let (name, value) = field.split_once(": ").unwrap_or((field.trim_end_matches(':'), ""));
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        parts.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    parts
}

fn refusal(text: &str) -> Option<Reason> {
    check_head(&head(text), &Rules::default()).err()
}

#[test]
fn each_row_is_refused_with_its_reason() {
    for (row, text, reason) in [
        ("F1, D6", "POST / 1.1\nhost: a\ncontent-length: 3\ntransfer-encoding: chunked", BadRequest),
        ("F2", "POST / 1.1\nhost: a\ntransfer-encoding: xchunked", CodingNotImplemented),
        ("F3, P12, D7", "POST / 1.1\nhost: a\ntransfer-encoding: gzip, chunked", CodingNotImplemented),
        ("F3", "POST / 1.1\nhost: a\ntransfer-encoding: identity, chunked", CodingNotImplemented),
        ("F3", "POST / 1.1\nhost: a\ntransfer-encoding: chunked, chunked", CodingNotImplemented),
        (
            "F3",
            "POST / 1.1\nhost: a\ntransfer-encoding: chunked\ntransfer-encoding: chunked",
            CodingNotImplemented,
        ),
        ("F4", "POST / 1.0\nhost: a\ntransfer-encoding: chunked", BadRequest),
        ("F4", "POST https://a/ 2\ntransfer-encoding: chunked", BadRequest),
        ("F5", "POST / 1.1\nhost: a\ncontent-length: 3\ncontent-length: 4", BadRequest),
        ("F5", "POST / 1.1\nhost: a\ncontent-length: +3", BadRequest),
        ("F5", "POST / 1.1\nhost: a\ncontent-length:", BadRequest),
        ("F12, D17", "POST / 1.1\nhost: a\nexpect: 200-ok", ExpectationFailed),
        ("F12", "POST / 1.1\nhost: a\nexpect: 100-continue\nexpect: x", ExpectationFailed),
        ("X1", "POST https://a/ 2\nexpect: x", ExpectationFailed),
        ("T1, P9, D2", "GET / 1.1", BadHost),
        ("T1", "GET / 1.1\nhost: a\nhost: a", BadHost),
        ("T1", "GET / 1.1\nhost: a, b", BadHost),
        ("T1", "GET / 1.1\nhost:", BadHost),
        ("T1, P9", "GET / 1.1\nhost: a/b", BadHost),
        ("T1", "GET / 1.1\nhost: u@a", BadHost),
        ("T1", "GET / 1.1\nhost: a:http", BadHost),
        ("T1", "GET / 1.1\nhost: [::1", BadHost),
        ("T2, D3", "GET http://b/ 1.1\nhost: a", BadHost),
        ("T2", "GET http://u@a/ 1.1\nhost: a", BadHost),
        ("T2", "GET ftp://a/ 1.1\nhost: a", BadRequest),
        ("T3", "GET / 2", BadHost),
        ("T3, D4", "GET https://a/ 2\nhost: a\nhost: b", BadHost),
        ("X1", "GET https://u:p@a/ 2", BadHost),
        ("X1", "GET ftp://a/ 2", BadRequest),
        ("T5, P11, D5", "CONNECT a:80 1.1\nhost: a:80", MethodNotAllowed),
        ("T5, P11", "TRACE / 1.1\nhost: a", MethodNotAllowed),
        ("X1", "CONNECT a:80 2", MethodNotAllowed),
        ("T5", "GET * 1.1\nhost: a", BadRequest),
        ("X1", "GET * 2\nhost: a", BadRequest),
        ("P9", "OPTIONS * 1.1\nhost: a", BadRequest),
        ("T5, P9, D5", "get / 1.1\nhost: a", BadRequest),
        ("X1", "get https://a/ 2", BadRequest),
        ("T5", "GET1 / 1.1\nhost: a", BadRequest),
        ("T5, authority form", "GET a:80 1.1\nhost: a:80", BadRequest),
        ("T6, P9", "GET /../x 1.1\nhost: a", BadPath),
        ("T6, P9", "GET /%zz 1.1\nhost: a", BadPath),
        ("T6, P9", "GET /%00 1.1\nhost: a", BadPath),
        ("X1, values with blanks", "GET https://a/ 2\nx: \x20y", BadRequest),
        ("X1, values with blanks", "GET https://a/ 2\nx: y\t", BadRequest),
        ("HTTP/0.9", "GET / 0.9\nhost: a", BadRequest),
        ("W1", "GET / 1.0\nhost: a\nconnection: upgrade\nupgrade: websocket", BadRequest),
        ("W1", "POST / 1.1\nhost: a\nconnection: upgrade\nupgrade: websocket", BadRequest),
        ("W1", "GET / 1.1\nhost: a\nconnection: upgrade\nupgrade: websocket", WebsocketVersion),
        (
            "W1",
            "GET / 1.1\nhost: a\nconnection: upgrade\nupgrade: websocket\nsec-websocket-version: 13",
            BadRequest,
        ),
    ] {
        assert_eq!(refusal(text), Some(reason), "{row}: {text}");
    }
}

#[test]
fn limits_of_deviation_9() {
    let target = |bytes: usize| format!("GET /{} 1.1\nhost: a", "a".repeat(bytes - 1));
    assert_eq!(refusal(&target(8192)), None);
    assert_eq!(refusal(&target(8193)), Some(UriTooLong));
    let field = |bytes: usize| format!("GET / 1.1\nhost: a\nx: {}", "a".repeat(bytes));
    assert_eq!(refusal(&field(32_000)), None);
    assert_eq!(refusal(&field(33_000)), Some(HeadTooLarge));
    let fields = |count: usize| format!("GET / 1.1\nhost: a{}", "\nx: y".repeat(count - 1));
    assert_eq!(refusal(&fields(100)), None);
    assert_eq!(refusal(&fields(101)), Some(HeadTooLarge));
    assert_eq!(refusal(&format!("{} / 1.1\nhost: a", "A".repeat(5000))), Some(BadRequest));
}

#[test]
fn what_is_legal_passes_in_canonical_form() {
    for (row, text, uri, fields) in [
        ("plain", "GET /a?b 1.1\nhost: a\naccept: */*", "/a?b", "host: a\naccept: */*"),
        ("P13", "GET / 1.0", "/", ""),
        ("D1", "GET / 1.1\nhost: A.B.:80", "/", "host: a.b:80"),
        ("D5", "FOO / 1.1\nhost: a", "/", "host: a"),
        ("T2, P14", "GET http://a/x?y 1.1\nhost: a", "/x?y", "host: a"),
        ("T2", "GET http://a 1.1\nhost: a", "/", "host: a"),
        ("T2", "GET http://a?q 1.1\nhost: a", "/?q", "host: a"),
        ("T3, D4", "GET https://a/ 2\nhost: b", "/", "host: a"),
        ("T3", "GET https://a:8443/x 2", "/x", "host: a:8443"),
        ("T6, P39", "GET /a//b/%7e/../%2f?%41 1.1\nhost: a", "/a/b/%2F?%41", "host: a"),
        ("F5", "POST / 1.1\nhost: a\ncontent-length: 003", "/", "host: a\ncontent-length: 3"),
        ("F12", "POST / 1.1\nhost: a\nexpect: 100-Continue", "/", "host: a"),
        ("F2", "POST / 1.1\nhost: a\ntransfer-encoding: Chunked", "/", "host: a"),
        ("H1", "GET / 1.1\nhost: a\nconnection: x\nx: y", "/", "host: a"),
        (
            "H4, W1",
            "GET / 1.1\nhost: a\nconnection: upgrade, http2-settings\nupgrade: h2c\nhttp2-settings: x",
            "/",
            "host: a",
        ),
        ("X1", "GET https://a/ 2\nhost: a\ncookie: a=1\ncookie: b=2", "/", "host: a\ncookie: a=1; b=2"),
        (
            "X1",
            "POST https://a/ 2\nhost: a\ncontent-length: 3\ncontent-length: 3",
            "/",
            "host: a\ncontent-length: 3",
        ),
        ("D14", "GET / 1.1\nhost: a\nx-consumer-id: x", "/", "host: a"),
    ] {
        let mut parts = head(text);
        let canonical = sanitize(&mut parts, &Rules::default());
        assert!(canonical.is_ok(), "{row}: {canonical:?}");
        assert_eq!(parts.uri.to_string(), uri, "{row}");
        let expected = head(format!("GET / 1.1\n{fields}").trim_end()).headers;
        assert_eq!(parts.headers, expected, "{row}");
        let again = check_head(&parts, &Rules::default()).unwrap();
        assert!(again.target.is_none() && !again.rewrite_host, "{row}");
    }
}

#[test]
fn strict_rules_refuse_and_drop() {
    let rules = Rules { paths: Strictness::Strict, headers: Strictness::Strict, ..Rules::default() };
    assert_eq!(check_head(&head("GET /a%2fb 1.1\nhost: a"), &rules).err(), Some(BadPath));
    let mut parts = head("GET /a 1.1\nhost: a\nx_y: 1");
    sanitize(&mut parts, &rules).unwrap();
    assert_eq!(parts.headers.len(), 1);
}

#[test]
fn deviation_14_falls_back_to_kong() {
    let mut parts = head("GET / 1.1\nhost: A\nx-consumer-id: x");
    sanitize(&mut parts, &Rules { compat: Compat::Kong39Strict, ..Rules::default() }).unwrap();
    assert_eq!(parts.headers, head("GET / 1.1\nhost: A\nx-consumer-id: x").headers);
}

#[test]
fn a_handshake_is_kept_aside() {
    let mut parts = head(
        "GET / 1.1\nhost: a\nconnection: Upgrade\nupgrade: websocket\nsec-websocket-version: 13\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    );
    let canonical = sanitize(&mut parts, &Rules::default()).unwrap();
    assert!(!parts.headers.contains_key("upgrade") && !parts.headers.contains_key("connection"));
    canonical.upgrade.unwrap().ask(&mut parts.headers);
    assert_eq!(parts.headers["upgrade"], "websocket");
    assert_eq!(parts.headers["connection"], "keep-alive, Upgrade");
}

#[test]
fn deviation_16_trailers_go_to_who_takes_them() {
    let of = |text| check_head(&head(text), &Rules::default()).unwrap().trailers;
    assert_eq!(of("GET / 1.1\nhost: a"), Trailers::Drop);
    assert_eq!(of("GET / 1.1\nhost: a\nte: gzip"), Trailers::Drop);
    assert_eq!(of("GET / 1.1\nhost: a\nte: gzip, trailers"), Trailers::Forward);
    assert_eq!(of("GET https://a/ 2"), Trailers::Forward);
}

#[test]
fn refusals_say_what_their_status_demands() {
    let fields = |reason| {
        let mut headers = HeaderMap::new();
        complete_refusal(reason, &mut headers);
        headers
    };
    assert_eq!(fields(BadHost)["connection"], "close");
    assert!(fields(MethodNotAllowed).contains_key("allow"));
    assert_eq!(fields(WebsocketVersion)["sec-websocket-version"], "13");
    assert!(fields(ExpectationFailed).is_empty());
}
