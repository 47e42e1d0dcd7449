//! What is tried again.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header::RETRY_AFTER};
use smallvec::SmallVec;

use super::{Backoff, DeadlineHeader};
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
    /// Codes of gRPC that are tried again, where they stand in the head of an answer: it has no message then, as of a call
    /// that was refused. Whoever names one says that calls which end so may be repeated (gRFC A6). Default none.
    pub grpc_statuses: Vec<u16>,
    /// Methods that may be sent again after they have been written. Default those that are idempotent, without
    /// TRACE (RFC 9110 section 9.2.2).
    pub methods: SmallVec<[Method; 5]>,
    /// From the beginning of a try to the head of its answer; none: the service's own limits alone.
    pub per_try: Option<Duration>,
    /// The same for all tries and the waits between them.
    pub total: Option<Duration>,
    /// Where the client says how long it waits, which may only shorten `total`, and the upstream is told what is left.
    /// Default none: nobody says.
    pub deadline_header: Option<DeadlineHeader>,
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
            grpc_statuses: Vec::new(),
            methods: [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].into(),
            per_try: None,
            total: None,
            deadline_header: None,
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

    /// How long all tries may take of a request with these headers: the shorter one of `total` and what the client says.
    #[must_use]
    pub fn limit(&self, headers: &HeaderMap) -> Option<Duration> {
        let asked = self.deadline_header.as_ref().and_then(|header| header.read(headers));
        self.total.into_iter().chain(asked).min()
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

    /// Whether these headers end a call of gRPC with one of `grpc_statuses`. Such a call may be repeated, whatever its
    /// method: gRPC has only POST.
    #[must_use]
    pub fn names_grpc(&self, headers: &HeaderMap) -> bool {
        let code = || headers.get("grpc-status")?.to_str().ok()?.parse().ok();
        !self.grpc_statuses.is_empty() && code().is_some_and(|code| self.grpc_statuses.contains(&code))
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
        if !self.statuses.contains(&status) && !self.names_grpc(headers) {
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
    fn codes_of_grpc_are_looked_at_in_the_head() {
        let mut settings = Settings::default();
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", "14".parse().unwrap());
        let waits = |settings: &Settings, headers: &HeaderMap| {
            settings.wait_after(StatusCode::OK, headers, 1, 7).is_some()
        };
        assert!(!waits(&settings, &headers), "none is named");
        settings.grpc_statuses = vec![14];
        assert!(waits(&settings, &headers) && settings.names_grpc(&headers));
        headers.insert("grpc-status", "0".parse().unwrap());
        assert!(!waits(&settings, &headers));
        headers.insert("grpc-status", "x".parse().unwrap());
        assert!(!waits(&settings, &headers) && !waits(&settings, &HeaderMap::new()));
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
