//! The tries of one request, one endpoint after the other.

use std::{sync::Arc, time::Instant};

use http::{HeaderValue, Method, Request};
use smallvec::SmallVec;

use super::{
    Backend, Endpoint, HostPolicy,
    attempt::{Answered, Attempt, Failure, Reuse},
    http1::Rewrite,
    upload::Upload,
};
use crate::{
    Body,
    error::{Error, Reason},
    plugin::Exchange,
    sanitize::Lines,
};

/// The tries of one request.
pub(super) struct Tries<'a> {
    pub(super) backend: &'a Backend,
    pub(super) host: HostPolicy,
    pub(super) lines: Option<&'a Lines<'a>>,
    pub(super) shard: usize,
    pub(super) hash: Option<u32>,
    pub(super) upload: Option<Arc<Upload>>,
}

impl Tries<'_> {
    pub(super) async fn run(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Answered, Error> {
        let mut tried = SmallVec::<[Arc<Endpoint>; 2]>::new();
        let (mut reuse, mut again) = (Reuse::Allowed, None);
        let mut begun = Instant::now();
        exchange.timings.forwarded = Some(begun.saturating_duration_since(exchange.started));
        loop {
            let endpoint = match again.take() {
                Some(endpoint) => endpoint,
                None => self.pick(&tried).await?,
            };
            exchange.begin_try(endpoint.address());
            let attempt = Attempt {
                backend: self.backend,
                endpoint: &endpoint,
                shard: self.shard,
                reuse,
                begun,
                until: None,
            };
            let rewrite = Rewrite { host: self.host(&endpoint), lines: self.lines };
            let failure = match attempt.run(request, rewrite, self.upload.as_ref()).await {
                Ok(answered) => {
                    exchange.timings.responded = Some(exchange.started.elapsed());
                    exchange.end_try(answered.0.status);
                    if self.backend.upstream.is_watched() {
                        let status = answered.0.status.as_u16();
                        self.backend.upstream.learn(&endpoint, Ok(status), begun.elapsed());
                    }
                    return Ok(answered);
                }
                Err(failure) => failure,
            };
            if failure.stale && reuse == Reuse::Allowed {
                // Not the endpoint's failure: it closed a connection that had been idle. It is asked once more, on
                // a new one; another may not be there, as this request may be the trial of an ejected endpoint.
                reuse = Reuse::Never;
                exchange.withdraw_try();
                again = Some(endpoint);
            } else {
                if self.backend.upstream.is_watched() {
                    self.backend.upstream.learn(&endpoint, Err(&failure), begun.elapsed());
                }
                exchange.fail_try(failure.error.reason().status());
                tried.push(endpoint);
            }
            self.check_again(request, failure, exchange.tries)?;
            begun = Instant::now();
        }
    }

    /// The endpoint to try next, none of those in `avoided` as long as there is another.
    pub(super) async fn pick(&self, avoided: &[Arc<Endpoint>]) -> Result<Arc<Endpoint>, Error> {
        let subset = self.backend.subset.as_deref();
        self.backend.upstream.pick_within(subset, self.shard, self.hash, avoided).await
    }

    /// The `Host` that the endpoint sees in place of the client's.
    pub(super) fn host<'e>(&self, endpoint: &'e Endpoint) -> Option<&'e HeaderValue> {
        (self.host == HostPolicy::Endpoint).then(|| endpoint.host(&self.backend.transport))
    }

    fn check_again(&self, request: &Request<Body>, failure: Failure, tries: u32) -> Result<(), Error> {
        if self.may_try_again(request, &failure, tries) { Ok(()) } else { Err(failure.error) }
    }

    /// Whether the body is there for another try: it was in memory, or is so since it has been sent.
    pub(super) fn has_body(&self, request: &Request<Body>) -> bool {
        self.upload.is_none() || request.body().as_bytes().is_some()
    }

    /// Whether one more try follows. None follows a bad response, whose request has been acted on, nor a failure
    /// of the client's.
    pub(super) fn may_try_again(&self, request: &Request<Body>, failure: &Failure, tries: u32) -> bool {
        let reason = failure.error.reason();
        let last = !reason.blames_upstream() || reason == Reason::BadResponse;
        let spent = tries > self.backend.retries || last;
        // A body that has been streamed is not there any more.
        let again = !failure.written || (is_idempotent(request.method()) && self.has_body(request));
        !spent && again
    }
}

/// RFC 9110 section 9.2.2, without TRACE.
pub(super) const fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
