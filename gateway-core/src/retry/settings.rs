//! What is tried again.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header::RETRY_AFTER};
use smallvec::SmallVec;

use super::Backoff;
use crate::error::Reason;

/// What is tried again, how often, and within which time.
///
/// A request that was not written may always be repeated. One that may have been acted on is repeated only if its
/// method is in `methods`. A bad response is never asked for again, nor is what the client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Further tries after the first; none: as many as the service's `retries`. Default none.
    pub retries: Option<u32>,
    /// Failures of transport that are tried again. Default all.
    pub on: Causes,
    /// Statuses that are tried again. Default 502, 503 and 504.
    pub statuses: Vec<StatusCode>,
    /// Methods that may be sent again after they have been written. Default those that are idempotent, without
    /// TRACE (RFC 9110 section 9.2.2).
    pub methods: SmallVec<[Method; 5]>,
    /// From the beginning of a try to the head of its answer; none: the service's own limits alone.
    pub per_try: Option<Duration>,
    /// The same for all tries and the waits between them.
    pub total: Option<Duration>,
    /// The wait before each repetition.
    pub backoff: Backoff,
}

/// Failures of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causes {
    /// No connection: refused, not made in time, handshake failed.
    pub connect: bool,
    /// The connection broke before an answer.
    pub reset: bool,
    /// No answer in time.
    pub timeout: bool,
}

impl Default for Causes {
    fn default() -> Self {
        Self { connect: true, reset: true, timeout: true }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retries: None,
            on: Causes::default(),
            statuses: vec![
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
            methods: [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].into(),
            per_try: None,
            total: None,
            backoff: Backoff::default(),
        }
    }
}

impl Settings {
    /// Whether a request of this method may be sent again, though it may have been acted on.
    #[must_use]
    pub fn may_repeat(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// Whether this failure is tried again.
    #[must_use]
    pub const fn covers(&self, reason: Reason) -> bool {
        match reason {
            Reason::ConnectRefused
            | Reason::ConnectTimeout
            | Reason::ConnectFailed
            | Reason::TlsVerify
            | Reason::TlsHandshake => self.on.connect,
            Reason::Reset => self.on.reset,
            Reason::ReadTimeout | Reason::WriteTimeout => self.on.timeout,
            _ => false,
        }
    }

    /// How long to wait before the `retry`-th repetition of a request that was answered so; none: it is not tried
    /// again, as the status is not one of those, or its `Retry-After` asks for more time than a client can be kept
    /// waiting.
    #[must_use]
    pub fn wait_after(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        retry: u32,
        random: u64,
    ) -> Option<Duration> {
        if !self.statuses.contains(&status) {
            return None;
        }
        let asked = if headers.contains_key(RETRY_AFTER) { retry_after(headers)? } else { Duration::ZERO };
        (asked <= self.backoff.max).then(|| asked.max(self.backoff.wait(retry, random)))
    }
}

/// The seconds of `Retry-After` (RFC 9110 section 10.2.3); none where there is no such field, or it has a date.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    value.parse().map(Duration::from_secs).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, Method, StatusCode};

    use super::Settings;
    use crate::error::Reason;

    #[test]
    fn what_may_have_been_acted_on_is_not_repeated_unless_told() {
        let mut settings = Settings::default();
        assert!(settings.may_repeat(&Method::PUT) && !settings.may_repeat(&Method::POST));
        settings.methods.push(Method::POST);
        assert!(settings.may_repeat(&Method::POST));
    }

    #[test]
    fn a_bad_response_and_what_the_client_did_are_never_tried_again() {
        for reason in Reason::ALL {
            let upstreams = reason.blames_upstream()
                && !matches!(reason, Reason::BadResponse | Reason::ResponseTruncated | Reason::Deadline);
            assert_eq!(Settings::default().covers(reason), upstreams, "{reason}");
        }
    }

    #[test]
    fn retry_after_is_honoured_where_that_is_soon_and_else_ends_it() {
        let settings = Settings::default();
        let mut headers = HeaderMap::new();
        let wait = |status, headers: &HeaderMap| settings.wait_after(status, headers, 1, 1_234_567);
        assert!(wait(StatusCode::SERVICE_UNAVAILABLE, &headers).unwrap() <= Duration::from_millis(25));
        assert_eq!(wait(StatusCode::INTERNAL_SERVER_ERROR, &headers), None);
        for (value, waits) in
            [("0", true), ("1", false), ("Sun, 06 Nov 1994 08:49:37 GMT", false), ("-1", false)]
        {
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, &headers).is_some(), waits, "{value}");
        }
        let mut patient = Settings::default();
        patient.backoff.max = Duration::from_secs(2);
        headers.insert("retry-after", "1".parse().unwrap());
        let waited = patient.wait_after(StatusCode::SERVICE_UNAVAILABLE, &headers, 1, 7).unwrap();
        assert_eq!(waited, Duration::from_secs(1));
    }
}
