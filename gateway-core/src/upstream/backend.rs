//! Where the requests of a service go, and the loop that gets them there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, Request, Response, StatusCode, header::SET_COOKIE};
use http_body::Body as _;
use smallvec::SmallVec;

use super::{
    Endpoint, Switched, Transport, Upstream,
    attempt::{Answered, Attempt, Failure, Reuse},
    download::download,
    hashing::Hashed,
    http1::Rewrite,
    upload::{Upload, Watched},
};
use crate::{
    Body,
    config::Service,
    error::{Error, Reason},
    plugin::Exchange,
    sanitize::Lines,
};

/// A service, ready to forward to: its endpoints, how to speak to them, and its limits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Backend {
    /// The endpoints.
    pub upstream: Arc<Upstream>,
    /// Clear or TLS.
    pub transport: Transport,
    /// To make a connection.
    pub connect_timeout: Duration,
    /// Between two writes.
    pub write_timeout: Duration,
    /// Between two reads.
    pub read_timeout: Duration,
    /// Further tries after a first one that failed in transport.
    pub retries: u32,
}

/// Which `Host` the upstream sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPolicy {
    /// The endpoint's own, or the upstream's `host_header`.
    Endpoint,
    /// The client's (`preserve_host`).
    Client,
}

/// Equal backends share their live state: the same endpoints, spoken to in the same way.
impl PartialEq for Backend {
    fn eq(&self, other: &Self) -> bool {
        let limits = |it: &Self| (it.connect_timeout, it.write_timeout, it.read_timeout, it.retries);
        Arc::ptr_eq(&self.upstream, &other.upstream)
            && self.transport == other.transport
            && limits(self) == limits(other)
    }
}

impl Backend {
    /// The limits of `service` around `upstream`.
    #[must_use]
    pub fn new(service: &Service, upstream: Arc<Upstream>, transport: Transport) -> Self {
        let milliseconds = |value: u32| Duration::from_millis(u64::from(value));
        Self {
            upstream,
            transport,
            connect_timeout: milliseconds(service.connect_timeout),
            write_timeout: milliseconds(service.write_timeout),
            read_timeout: milliseconds(service.read_timeout),
            retries: u32::from(service.retries),
        }
    }

    /// Forwards `request`, whose head is ready to be written but for `Host` and the framing, and gives the
    /// response as the upstream sent it. A body that is not in memory is used up. An endpoint that fails in
    /// transport is followed by the next one; a request that may have been acted on is not sent twice unless its
    /// method is idempotent. A 101 has its connection among its extensions, as [`Switched`].
    ///
    /// # Errors
    /// With the reason of the last try.
    pub async fn forward(
        &self,
        request: &mut Request<Body>,
        host: HostPolicy,
        shard: usize,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        self.forward_with(request, host, None, shard, exchange).await
    }

    /// The same, with these forwarding headers.
    pub(crate) async fn forward_with(
        &self,
        request: &mut Request<Body>,
        host: HostPolicy,
        lines: Option<&Lines<'_>>,
        shard: usize,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        let upload = watch(request);
        let hashed = self.upstream.hashing().map(|hashing| hashing.of(request, exchange));
        let Hashed { hash, cookie } = hashed.unwrap_or(Hashed { hash: None, cookie: None });
        let tries = Tries { backend: self, host, lines, shard, hash, upload };
        let outcome = tries.run(request, exchange).await;
        exchange.request_bytes = tries.upload.as_deref().map_or(exchange.request_bytes, Upload::bytes);
        let (head, decoder, lease) = outcome?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.headers;
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, *cookie);
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            response.extensions_mut().insert(Switched::new(lease));
        } else {
            *response.body_mut() = download(decoder, lease, self.read_timeout)?;
        }
        Ok(response)
    }
}

/// Puts a watch on a body that is still arriving.
fn watch(request: &mut Request<Body>) -> Option<Arc<Upload>> {
    if request.body().is_end_stream() || request.body().as_bytes().is_some() {
        return None;
    }
    let (watched, upload) = Watched::new(std::mem::take(request.body_mut()));
    *request.body_mut() = Body::new(watched);
    Some(upload)
}

/// The tries of one request.
struct Tries<'a> {
    backend: &'a Backend,
    host: HostPolicy,
    lines: Option<&'a Lines<'a>>,
    shard: usize,
    hash: Option<u32>,
    upload: Option<Arc<Upload>>,
}

impl Tries<'_> {
    async fn run(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Result<Answered, Error> {
        let mut tried = SmallVec::<[Arc<Endpoint>; 2]>::new();
        let (mut reuse, mut again) = (Reuse::Allowed, None);
        let mut begun = Instant::now();
        exchange.timings.forwarded = Some(begun.saturating_duration_since(exchange.started));
        loop {
            let endpoint = match again.take() {
                Some(endpoint) => endpoint,
                None => self.backend.upstream.pick_hashed(self.shard, self.hash, &tried).await?,
            };
            exchange.begin_try(endpoint.address());
            let attempt =
                Attempt { backend: self.backend, endpoint: &endpoint, shard: self.shard, reuse, begun };
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

    /// The `Host` that the endpoint sees in place of the client's.
    fn host<'e>(&self, endpoint: &'e Endpoint) -> Option<&'e HeaderValue> {
        (self.host == HostPolicy::Endpoint).then(|| endpoint.host(&self.backend.transport))
    }

    /// Whether one more try follows. None follows a bad response, whose request has been acted on, nor a failure
    /// of the client's.
    fn check_again(&self, request: &Request<Body>, failure: Failure, tries: u32) -> Result<(), Error> {
        let reason = failure.error.reason();
        let last = !reason.blames_upstream() || reason == Reason::BadResponse;
        let spent = tries > self.backend.retries || last;
        // A body that has been streamed is not there any more.
        let again = !failure.written || (is_idempotent(request.method()) && self.upload.is_none());
        if spent || !again { Err(failure.error) } else { Ok(()) }
    }
}

/// RFC 9110 section 9.2.2, without TRACE.
const fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
