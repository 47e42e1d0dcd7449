use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Strictness, Trailers, clean_trailers, strip_request, strip_response};

fn map(text: &str) -> HeaderMap {
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value.trim()).unwrap())
    };
    text.split('|').map(str::trim).filter(|line| !line.is_empty()).map(field).collect()
}

fn request(text: &str) -> HeaderMap {
    let mut headers = map(text);
    strip_request(&mut headers, Strictness::Compatible).unwrap();
    headers
}

fn response(text: &str, trailers: Trailers) -> HeaderMap {
    let mut headers = map(text);
    strip_response(&mut headers, trailers);
    headers
}

#[test]
fn row_h1_nominated_fields_go_but_not_ours() {
    assert_eq!(request("connection: x-a, X-B | x-a: 1 | x-b: 2 | x-c: 3"), map("x-c: 3"));
    assert_eq!(request("connection: authorization | authorization: x"), map(""));
    let ours =
        "host: a | x-forwarded-for: 1 | x-real-ip: 2 | content-length: 3 | via: 4 | x-kong-request-id: 5";
    assert_eq!(
        request(&format!(
            "{ours} | connection: host, x-forwarded-for, x-real-ip, content-length, via, x-kong-request-id"
        )),
        map(ours)
    );
    assert_eq!(request("connection: close, , a b, \u{fc} | x: 1"), map("x: 1"));
}

#[test]
fn row_h4_and_compat_p35_hop_by_hop_fields_go() {
    assert_eq!(
        request(
            "connection: keep-alive | connection: te | keep-alive: timeout=5 | proxy-connection: close | proxy: x \
                 | transfer-encoding: chunked | upgrade: h2c | http2-settings: AAA | expect: 100-continue | te: trailers, gzip"
        ),
        map("te: trailers")
    );
    assert_eq!(request("te: gzip"), map(""));
    assert_eq!(request("te: trailers"), map("te: trailers"));
    assert_eq!(request("te: gzip | te: Trailers"), map("te: trailers"));
    let kept = "trailer: x | proxy-authorization: x | forwarded: for=1 | a_b: 1 | x-forwarded-for: 1";
    assert_eq!(request(kept), map(kept));
}

#[test]
fn rows_h2_h3_and_deviation_13_strict_headers_drop_more() {
    let mut headers = map(
        "forwarded: for=1 | proxy-authorization: x | a_b: 1 | x_forwarded_for: 1 | x-original-url: / | x-rewrite-url: / | a-b: 1",
    );
    strip_request(&mut headers, Strictness::Strict).unwrap();
    assert_eq!(headers, map("a-b: 1"));
}

#[test]
fn deviation_14_a_client_cannot_say_who_it_is() {
    assert_eq!(
        request(
            "x-consumer-id: 1 | x-consumer-custom-id: 1 | x-consumer-username: 1 | x-consumer-groups: 1 \
                 | x-authenticated-groups: 1 | x-consumer-other: 1 | x-credential-identifier: 1 | x-anonymous-consumer: 1 | x-consumer: kept"
        ),
        map("x-consumer: kept")
    );
}

#[test]
fn row_h3_nor_in_a_spelling_that_an_application_may_take_for_the_same() {
    assert_eq!(
        request(
            "x_consumer_username: admin | x-consumer_id: 1 | x_anonymous-consumer: 1 | x_authenticated_groups: 1 \
                 | x_credential_identifier: 1 | x_consumer: kept | x_consumers-id: kept | x_anonymous_consumers: kept"
        ),
        map("x_consumer: kept | x_consumers-id: kept | x_anonymous_consumers: kept")
    );
}

#[test]
fn x1_crumbs_and_lengths_become_one() {
    assert_eq!(request("cookie: a=1 | cookie: b=2 | cookie: c=3"), map("cookie: a=1; b=2; c=3"));
    assert_eq!(request("content-length: 3 | content-length: 3"), map("content-length: 3"));
    assert_eq!(request("content-length: 003"), map("content-length: 3"));
    assert!(
        strip_request(&mut map("content-length: 3 | content-length: 4"), Strictness::Compatible).is_err()
    );
}

#[test]
fn an_ordinary_request_is_not_touched() {
    let plain = "host: a | user-agent: x | accept: */* | cookie: a=1 | content-length: 3 | trailer: x";
    assert_eq!(request(plain), map(plain));
}

#[test]
fn compat_p31_responses_lose_their_hop() {
    assert_eq!(
        response(
            "connection: close, x-secret | x-secret: 1 | keep-alive: timeout=5 | trailer: x | upgrade: h2c | te: x \
                 | proxy-authenticate: Basic | server: up | transfer-encoding: chunked",
            Trailers::Drop
        ),
        map("proxy-authenticate: Basic | server: up")
    );
    assert_eq!(response("trailer: grpc-status", Trailers::Forward), map("trailer: grpc-status"));
}

#[test]
fn u1_a_coding_wins_over_a_length() {
    assert_eq!(response("content-length: 3 | transfer-encoding: chunked", Trailers::Drop), map(""));
    assert_eq!(response("content-length: 3, 3", Trailers::Drop), map("content-length: 3"));
}

#[test]
fn row_f10_trailers_carry_no_head() {
    let mut trailers = map(
        "grpc-status: 0 | x-checksum: 1 | content-length: 1 | te: x | host: a | authorization: x | set-cookie: a=1 \
             | x-forwarded-for: 1 | x-consumer-id: 1 | transfer-encoding: chunked | connection: x | a_b: 1",
    );
    clean_trailers(&mut trailers);
    assert_eq!(trailers, map("grpc-status: 0 | x-checksum: 1 | a_b: 1"));
}
