use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{Answer, Directives, Freshness, MediaType, Policy, Verdict, has_already, stored_headers, vary};

fn policy(cache_control: bool) -> Policy {
    Policy {
        methods: [Method::GET, Method::HEAD].into(),
        statuses: [StatusCode::OK, StatusCode::NOT_FOUND].into(),
        content_types: [MediaType::new("text/plain"), MediaType::new("application/json")].into(),
        cache_control,
        cache_ttl: 300,
        storage_ttl: None,
    }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn compat_p29_a_clients_directives_and_credentials_count_only_with_cache_control() {
    for (field, value) in
        [("cache-control", "no-cache"), ("cache-control", "no-store"), ("authorization", "x")]
    {
        let headers = headers(&[(field, value)]);
        let asked = Directives::of(&headers);
        assert!(policy(false).takes(&Method::GET, &headers, &asked), "{field}");
        assert!(!policy(true).takes(&Method::GET, &headers, &asked), "{field}");
    }
    let plain = headers(&[]);
    assert!(!policy(false).takes(&Method::POST, &plain, &Directives::default()));
}

#[test]
fn answers_are_stored_by_status_type_and_what_they_say() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    for (cache_control, status, fields, lifetime) in [
        (false, 200, &[JSON][..], Some(300)),
        (false, 404, &[JSON], Some(300)),
        (false, 500, &[JSON], None),
        (false, 200, &[("content-type", "text/html")], None),
        (false, 200, &[], None),
        (false, 200, &[JSON, JSON], None),
        (false, 200, &[JSON, ("cache-control", "private, no-store, max-age=5")], Some(300)),
        (true, 200, &[JSON], None),
        (true, 200, &[JSON, ("cache-control", "max-age=5")], Some(5)),
        (true, 200, &[JSON, ("cache-control", "max-age=5, private")], None),
        (true, 200, &[JSON, ("cache-control", "max-age=5, no-store")], None),
        (true, 200, &[JSON, ("cache-control", "max-age=5, no-cache=\"set-cookie\"")], None),
        (true, 200, &[JSON, ("cache-control", "max-age=0")], None),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let admitted = policy(cache_control).admits(status, &headers(fields), SystemTime::UNIX_EPOCH);
        assert_eq!(
            admitted.map(|freshness| freshness.lifetime),
            lifetime,
            "{cache_control} {status} {fields:?}"
        );
    }
}

#[test]
fn without_cache_control_the_configured_time_decides() {
    let answer = Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        stored: Instant::now(),
        freshness: Freshness::fixed(10),
        gone: None,
    };
    let asked = Directives { max_age: Some(0), ..Directives::default() };
    assert_eq!(policy(false).judge(&answer, 300, &asked), Verdict::Use);
    assert_eq!(policy(false).judge(&answer, 301, &asked), Verdict::Refresh);
    assert_eq!(policy(true).judge(&answer, 9, &asked), Verdict::Refresh);
}

#[test]
fn an_answer_is_stored_for_its_lifetime_or_for_the_stores() {
    let (now, freshness) = (Instant::now(), Freshness { initial_age: 4, lifetime: 10, strict: false });
    let storing = |seconds| Policy { storage_ttl: Some(Duration::from_secs(seconds)), ..policy(true) };
    assert_eq!(policy(true).gone(&freshness, now), Some(now + Duration::from_secs(6)));
    assert_eq!(storing(60).gone(&freshness, now), Some(now + Duration::from_secs(60)));
    assert_eq!(storing(0).gone(&freshness, now), None);
    assert_eq!(storing(u64::MAX).gone(&freshness, now), None);
}

#[test]
fn the_names_in_vary_are_a_set() {
    let names = |fields| {
        let names = vary(&headers(fields))?;
        Some(names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(names(&[]), Some(vec![]));
    let both = [("vary", "Origin, accept"), ("vary", "ACCEPT,")];
    assert_eq!(names(&both), Some(vec!["accept".to_owned(), "origin".to_owned()]));
    assert_eq!((names(&[("vary", "accept, *")]), names(&[("vary", "a b")])), (None, None));
}

#[test]
fn what_belongs_to_one_answer_alone_is_not_stored() {
    let all = headers(&[
        ("content-length", "3"),
        ("age", "7"),
        ("x-ratelimit-remaining-minute", "1"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]);
    assert_eq!(stored_headers(&Method::GET, &all), headers(&[("x-a", "1"), ("x-a", "2")]));
    let head = headers(&[("content-length", "3"), ("x-a", "1"), ("x-a", "2")]);
    assert_eq!(stored_headers(&Method::HEAD, &all), head);
}

#[test]
fn a_client_may_have_the_answer_already() {
    let stored = headers(&[("etag", "W/\"a\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    for (field, value, has) in [
        ("if-none-match", "\"x\", \"a\"", true),
        ("if-none-match", "*", true),
        ("if-none-match", "\"b\"", false),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", true),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", false),
        ("if-modified-since", "yesterday", false),
        ("accept", "*/*", false),
    ] {
        assert_eq!(has_already(&headers(&[(field, value)]), &stored), has, "{field}: {value}");
    }
    let both = [("if-none-match", "\"b\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert!(!has_already(&headers(&both), &stored), "the tag decides where there is one");
    assert!(!has_already(&headers(&[("if-none-match", "\"a\"")]), &headers(&[])));
}
