//! An ordinary request passes both edges without an allocation.

// A helper of a test may fail as the test itself does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use allocation_counter::measure;
use bytes::Bytes;
use gateway_core::{
    Body, ConnectInfo,
    sanitize::{
        Brand, Forward, Hop, Rules, Trailers, Trust, check_head, frame_request, guard_response, set_forwarded,
    },
};
use http::{HeaderValue, Request, Response, Uri, request::Parts};

/// A head as hyper makes it: slices of one buffer, already shared.
fn ordinary() -> Parts {
    let buffer = Bytes::from(b"/orders/42%20a?b=c|api.example.com|curl/8|*/*|a=1; b=2".to_vec());
    let text: Vec<Bytes> = buffer.split(|byte| *byte == b'|').map(|part| buffer.slice_ref(part)).collect();
    let mut parts = Request::new(()).into_parts().0;
    parts.uri = Uri::from_maybe_shared(text[0].clone()).unwrap();
    parts.headers.reserve(32);
    for (name, value) in ["host", "user-agent", "accept", "cookie"].into_iter().zip(&text[1..]) {
        parts.headers.insert(name, HeaderValue::from_maybe_shared(value.clone()).unwrap());
    }
    parts.headers.insert("connection", HeaderValue::from_static("keep-alive"));
    parts
}

#[test]
fn the_request_edge_allocates_nothing() {
    let mut parts = ordinary();
    let rules = Rules::default();
    let counted = measure(|| {
        let canonical = check_head(&parts, &rules).unwrap();
        canonical.apply(&mut parts, &rules);
        assert_eq!(canonical.host.name(), "api.example.com");
        frame_request(&mut parts.headers, &Body::empty(), Hop::Http1);
    });
    assert_eq!(counted.count_total, 0);
    assert!(!parts.headers.contains_key("connection"));
}

#[test]
fn the_forwarding_headers_take_one_buffer() {
    let mut parts = ordinary();
    let canonical = check_head(&parts, &Rules::default()).unwrap();
    let connection = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
    // Sharing the peer's address for the first time costs a handle, once a connection.
    drop(connection.peer_value().clone());
    let (trust, brand) = (Trust::default(), Brand::default());
    let counted = measure(|| {
        let client = trust.client(&parts.headers, &connection);
        let forward = Forward {
            connection: &connection,
            client: &client,
            version: parts.version,
            host: &canonical.host,
            path: parts.uri.path(),
            prefix: None,
            request_id: b"0123456789abcdef0123456789abcdef",
            brand: &brand,
        };
        set_forwarded(&mut parts.headers, &forward);
    });
    // The buffer, and the handle that its pieces share.
    assert_eq!(counted.count_total, 2);
    assert_eq!(parts.headers["x-forwarded-path"], "/orders/42%20a");
}

#[test]
fn the_upstream_edge_allocates_nothing() {
    let response = Response::builder()
        .header("content-length", "3")
        .header("content-type", "text/plain")
        .header("connection", "keep-alive")
        .header("keep-alive", "timeout=5");
    let mut parts = response.body(()).unwrap().into_parts().0;
    let counted = measure(|| {
        guard_response(&mut parts, None, Trailers::Drop).unwrap();
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(parts.headers.len(), 2);
}
