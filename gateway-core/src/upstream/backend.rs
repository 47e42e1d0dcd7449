//! Where the requests of a service go, and the loop that gets them there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{HOST, SET_COOKIE},
};
use http_body::Body as _;
use hyper::body::Incoming;
use smallvec::SmallVec;

use super::{
    Endpoint, Transport, Upstream,
    attempt::{Attempt, Failure, Left, Reuse},
    download::{Lease, download},
    hashing::Hashed,
    replay::Replay,
    tunnel::Held,
    upload::{Upload, Watched},
};
use crate::{
    Body,
    config::Service,
    error::{Error, Reason},
    plugin::Exchange,
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

    /// Forwards `request`, whose head is ready to be written but for `Host`, and gives the response as the
    /// upstream sent it. The request is taken. An endpoint that fails in transport is followed by the next
    /// one; a request that may have been acted on is not sent twice unless its method is idempotent.
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
        let upload = watch(request);
        // Even without retries: a connection that had been idle may turn out to be closed.
        let replay = Replay::of(request);
        let hashed = self.upstream.hashing().map(|hashing| hashing.of(request, exchange));
        let Hashed { hash, cookie } = hashed.unwrap_or(Hashed { hash: None, cookie: None });
        let tries = Tries { backend: self, host, shard, hash, upload, replay };
        let outcome = tries.run(request, exchange).await;
        exchange.request_bytes = tries.upload.as_deref().map_or(exchange.request_bytes, Upload::bytes);
        let (response, lease) = outcome?;
        let (mut parts, incoming) = response.into_parts();
        if let Some(cookie) = cookie {
            parts.headers.append(SET_COOKIE, *cookie);
        }
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            parts.extensions.insert(Held::new(lease));
            return Ok(Response::from_parts(parts, Body::empty()));
        }
        let body = download(incoming, lease, self.read_timeout)?;
        Ok(Response::from_parts(parts, body))
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
    shard: usize,
    hash: Option<u32>,
    upload: Option<Arc<Upload>>,
    replay: Option<Replay>,
}

impl Tries<'_> {
    async fn run(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<(Response<Incoming>, Lease), Error> {
        let mut tried = SmallVec::<[Arc<Endpoint>; 2]>::new();
        let (mut reuse, mut again) = (Reuse::Allowed, None);
        let mut begun = Instant::now();
        exchange.timings.forwarded = Some(begun.saturating_duration_since(exchange.started));
        loop {
            let endpoint = match again.take() {
                Some(endpoint) => endpoint,
                None => self.backend.upstream.pick_hashed(self.shard, self.hash, &tried).await?,
            };
            exchange.endpoint = Some(endpoint.address());
            exchange.tries += 1;
            self.set_host(request, &endpoint);
            let attempt =
                Attempt { backend: self.backend, endpoint: &endpoint, shard: self.shard, reuse, begun };
            let failure = match attempt.run(request, self.upload.as_ref()).await {
                Ok(answered) => {
                    exchange.timings.responded = Some(exchange.started.elapsed());
                    if self.backend.upstream.is_watched() {
                        let status = answered.0.status().as_u16();
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
                exchange.tries -= 1;
                again = Some(endpoint);
            } else {
                if self.backend.upstream.is_watched() {
                    self.backend.upstream.learn(&endpoint, Err(&failure), begun.elapsed());
                }
                tried.push(endpoint);
            }
            self.restore(request, failure, exchange.tries)?;
            begun = Instant::now();
        }
    }

    fn set_host(&self, request: &mut Request<Body>, endpoint: &Endpoint) {
        if self.host == HostPolicy::Endpoint {
            let host: HeaderValue = endpoint.host(&self.backend.transport).clone();
            request.headers_mut().insert(HOST, host);
        }
    }

    /// Makes `request` whole again for one more try. None follows a bad response, whose request has been
    /// acted on, nor a failure of the client's.
    fn restore(&self, request: &mut Request<Body>, failure: Failure, tries: u32) -> Result<(), Error> {
        let reason = failure.error.reason();
        let last = !reason.blames_upstream() || reason == Reason::BadResponse;
        let spent = tries > self.backend.retries || last;
        let whole = match failure.request {
            Left::Whole => true,
            Left::Taken(None) => false,
            Left::Taken(Some(unwritten)) => {
                *request = *unwritten;
                true
            }
        };
        if spent {
            return Err(failure.error);
        }
        match &self.replay {
            _ if whole => Ok(()),
            Some(replay) => {
                *request = replay.request();
                Ok(())
            }
            None => Err(failure.error),
        }
    }
}
