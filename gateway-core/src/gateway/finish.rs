//! The head of an answer: the fields that every one carries.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, SERVER},
};
use http_body::{Body as HttpBody, Frame};

use super::ending::Ending;
use crate::{
    Body,
    body::Passing,
    error::BoxError,
    plugin::{Exchange, Source},
    sanitize::append_via,
};

/// Opt-in: the reason word of a failure.
const X_GATEWAY_REASON: HeaderName = HeaderName::from_static("x-gateway-reason");

impl Ending {
    /// Completes the head of an answer. The exchange is over with the last byte of its body; for one that
    /// is wholly in memory that is now.
    pub(super) fn finish(mut self, mut response: Response<Body>) -> Response<Body> {
        self.exchange.status = response.status();
        self.stamp(response.headers_mut());
        self.exchange.record_response(response.headers());
        if let Some(bytes) = in_memory(response.body()) {
            self.exchange.response_bytes = bytes;
            self.conclude();
            if bytes == 0 && tells_length_of_absent(&response, self.exchange.version) {
                *response.body_mut() = Body::new(Absent);
            }
            return response;
        }
        response.map(|body| Body::new(Passing::new(body, self)))
    }

    /// The gateway's own fields (compat P31, B 3.1). The forwarder has put `Via` on the upstream's answers; an
    /// upstream error has it too (compat E19).
    fn stamp(&self, headers: &mut HeaderMap) {
        let (settings, exchange) = (&self.shared.settings, &*self.exchange);
        let branding = &settings.branding;
        let digits = HeaderValue::from_bytes(&exchange.request_id.digits());
        if let Ok(id) = digits {
            headers.insert(&branding.request_id, id);
        }
        if exchange.source == Source::Exit {
            let total = exchange.started.elapsed();
            headers.insert(&branding.response_latency, milliseconds(total));
        } else {
            let forwarded = exchange.timings.forwarded.unwrap_or_default();
            let responded = exchange.timings.responded.unwrap_or_else(|| exchange.started.elapsed());
            headers.insert(&branding.upstream_latency, milliseconds(responded.saturating_sub(forwarded)));
            headers.insert(&branding.proxy_latency, milliseconds(forwarded));
        }
        if exchange.source == Source::Error {
            append_via(headers, exchange.answered_in, branding.brand());
        }
        if !headers.contains_key(SERVER) {
            headers.insert(SERVER, branding.server.clone());
        }
        match exchange.reason {
            Some(reason) if settings.reason_header => {
                headers.insert(X_GATEWAY_REASON, HeaderValue::from_static(reason.word()));
            }
            _ => {}
        }
        if settings.debug_header && exchange.debug {
            debug_fields(headers, exchange);
        }
    }
}

/// Whether it is a 304 with the length that a 200 would have (compat P31). hyper's HTTP/1 takes that off where
/// it knows the body to be empty.
fn tells_length_of_absent(response: &Response<Body>, version: Version) -> bool {
    let told = || response.headers().contains_key(CONTENT_LENGTH);
    response.status() == StatusCode::NOT_MODIFIED && version <= Version::HTTP_11 && told()
}

/// A body that has nothing, and does not say so beforehand.
struct Absent;

impl HttpBody for Absent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(None)
    }
}

/// The length of a body that needs no more waiting.
fn in_memory(body: &Body) -> Option<u64> {
    match body.as_bytes() {
        Some(bytes) => Some(bytes.len() as u64),
        None => body.is_end_stream().then_some(0),
    }
}

/// Which route and service took the request (compat P52).
fn debug_fields(headers: &mut HeaderMap, exchange: &Exchange) {
    let mut show = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if let Some(route) = exchange.route() {
        show("kong-route-id", Some(route.id.to_string()));
        show("kong-route-name", route.name.clone());
    }
    if let Some(service) = exchange.service() {
        show("kong-service-id", Some(service.id.to_string()));
        show("kong-service-name", service.name.clone());
    }
}

/// Whole milliseconds as a header value; the small ones, which are nearly all, without an allocation.
fn milliseconds(duration: Duration) -> HeaderValue {
    const TENS: &str = "10111213141516171819202122232425262728293031323334353637383940414243444546474849\
                        50515253545556575859606162636465666768697071727374757677787980818283848586878889\
                        90919293949596979899";
    const ONES: &str = "0123456789";
    let value = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let small = usize::try_from(value).ok().and_then(|value| match value {
        0..=9 => ONES.get(value..=value),
        10..=99 => TENS.get(2 * (value - 10)..2 * (value - 10) + 2),
        _ => None,
    });
    small.map_or_else(|| HeaderValue::from(value), HeaderValue::from_static)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::milliseconds;

    #[test]
    fn milliseconds_are_whole() {
        for value in [0, 1, 9, 10, 11, 54, 99, 100, 12_345] {
            assert_eq!(milliseconds(Duration::from_millis(value)), value.to_string().as_str());
        }
    }
}
