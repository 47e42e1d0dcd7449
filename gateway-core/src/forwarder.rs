//! The inner end of every chain: the request goes up, the response comes down.

use std::sync::Arc;

use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;

use crate::{
    Body,
    config::Route,
    error::{BoxError, Error, Reason},
    plugin::{Bound, Exchange, Forward, Scoped, Source, Tap},
    reply::{Instead, Refusal, RetryAfter, message_reply, reply},
    sanitize::{self, Brand, Lines, Trust, append_via, guard_response},
    upstream::{Backend, HostPolicy, Rules, Switched, tunnel},
};

/// What forwarding takes from the node's settings.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) brand: Brand,
    pub(crate) trust: Trust,
    /// A request body up to so many bytes is read before it is forwarded.
    pub(crate) request_buffer: usize,
}

/// Forwards the requests of one route.
#[derive(Clone, Debug)]
pub(crate) struct Forwarder {
    backend: Option<Arc<Backend>>,
    host: HostPolicy,
    buffering: bool,
    outbound: Arc<Outbound>,
    /// Of each plugin that has a say, those of higher priority first; none on most routes.
    policies: Box<[Scoped<Bound>]>,
}

impl Forwarder {
    pub(crate) fn new(
        backend: Option<Arc<Backend>>,
        route: &Route,
        outbound: Arc<Outbound>,
        policies: Box<[Scoped<Bound>]>,
    ) -> Self {
        let host = if route.preserve_host { HostPolicy::Client } else { HostPolicy::Endpoint };
        Self { backend, host, buffering: route.request_buffering, outbound, policies }
    }

    /// Where it forwards to.
    #[cfg(test)]
    pub(crate) const fn backend(&self) -> Option<&Arc<Backend>> {
        self.backend.as_ref()
    }

    async fn try_forward(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        let backend = self.backend.as_ref().ok_or(Reason::NoService)?;
        let client = exchange.upgrade.is_some().then(|| hyper::upgrade::on(&mut *request));
        let mut response = if self.policies.is_empty() {
            if self.reads_ahead(request, exchange, self.outbound.request_buffer) {
                Box::pin(self.read_ahead(request, exchange, self.outbound.request_buffer)).await?;
            }
            let lines = self.complete(request, exchange);
            let shard = exchange.shard;
            backend.forward_with(request, self.host, Some(&lines), shard, exchange).await?
        } else {
            // In a box: routes without policies hold no room for it.
            Box::pin(self.forward_governed(backend, request, exchange)).await?
        };
        let upstream = client.is_some().then(|| response.extensions_mut().remove::<Switched>()).flatten();
        let response = self.guarded(response, exchange)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let (Some(client), Some(upstream)) = (client, upstream)
        {
            connect_tunnel((client, upstream), backend, exchange);
        }
        exchange.source = Source::Service;
        Ok(response)
    }

    /// The same where policies have a say.
    async fn forward_governed(
        &self,
        backend: &Backend,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        let consumer = exchange.consumer.as_ref().map(|consumer| consumer.id);
        let mut rules = Rules::default();
        let chosen = self.policies.iter().filter_map(|scoped| scoped.resolve(consumer));
        chosen.for_each(|(_, policy)| rules.push(policy));
        let limit = self.outbound.request_buffer.max(rules.replay());
        if self.reads_ahead(request, exchange, limit) {
            self.read_ahead(request, exchange, limit).await?;
        }
        let lines = self.complete(request, exchange);
        backend.forward_governed(request, self.host, &lines, exchange, &rules).await
    }

    /// Whether the body is read before it is forwarded: one that may be short, and is not here yet.
    fn reads_ahead(&self, request: &Request<Body>, exchange: &mut Exchange, limit: usize) -> bool {
        let body = request.body();
        if body.is_end_stream() || body.as_bytes().is_some() {
            exchange.request_bytes = body.size_hint().exact().unwrap_or_default();
            return false;
        }
        self.buffering && body.size_hint().lower() <= limit as u64
    }

    /// Reads a short body to its end, so that a slow client does not hold an upstream connection, and
    /// a failed try can be repeated (compat D18). A longer one streams, with what has been read of it in front.
    async fn read_ahead(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        limit: usize,
    ) -> Result<(), Error> {
        let body = std::mem::take(request.body_mut());
        let body = body.prefetch(limit).await.map_err(unreadable)?;
        exchange.request_bytes = body.as_bytes().map_or(0, |bytes| bytes.len() as u64);
        *request.body_mut() = body;
        Ok(())
    }

    /// Completes the head by what the upstream gets from the gateway; its forwarding headers are the lines.
    fn complete(&self, request: &mut Request<Body>, exchange: &Exchange) -> Lines<'_> {
        if let Some(upgrade) = &exchange.upgrade {
            upgrade.ask(request.headers_mut());
        }
        let forward = sanitize::Forward {
            connection: &exchange.connection,
            client: &exchange.client,
            version: exchange.version,
            host: &exchange.host,
            path: exchange.uri.path(),
            prefix: Some(exchange.stripped_prefix()),
            request_id: &exchange.request_id.digits(),
            brand: &self.outbound.brand,
        };
        Lines::new(request.headers(), &forward, &self.outbound.brand)
    }

    /// Lets through what a proxy may pass on.
    fn guarded(&self, response: Response<Body>, exchange: &mut Exchange) -> Result<Response<Body>, Error> {
        let (mut parts, body) = response.into_parts();
        exchange.answered_in = guard_response(&mut parts, exchange.upgrade.as_ref(), exchange.trailers)?;
        append_via(&mut parts.headers, exchange.answered_in, &self.outbound.brand);
        Ok(Response::from_parts(parts, body))
    }
}

impl Forward for Forwarder {
    async fn forward(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Response<Body> {
        match self.try_forward(request, exchange).await {
            Ok(response) => match exchange.extensions.remove::<Tap>() {
                Some(tap) => tap.apply(response, exchange),
                None => response,
            },
            Err(error) => answer(&error, exchange),
        }
    }
}

/// A request body that cannot be read to its end: the client's fault, unless a plugin refused it.
fn unreadable(error: BoxError) -> Error {
    let reason = error.downcast_ref::<Error>().map_or(Reason::BadRequestBody, Error::reason);
    Error::new(reason, error)
}

/// The gateway's answer to a request that could not be forwarded.
fn answer(error: &Error, exchange: &mut Exchange) -> Response<Body> {
    let reason = error.reason();
    exchange.reason = Some(reason);
    if reason.blames_upstream() {
        exchange.source = Source::Error;
    }
    if let Some(response) = Instead::take(error) {
        exchange.reason = Some(Reason::Plugin);
        return response;
    }
    if let Some(refusal) = Refusal::find(error) {
        exchange.reason = Some(Reason::Plugin);
        return message_reply(refusal.status, &refusal.message, exchange.asked, exchange.request_id);
    }
    let mut response = reply(reason, exchange.asked, exchange.request_id);
    if let Some(after) = RetryAfter::find(error) {
        response.headers_mut().insert(RETRY_AFTER, after.seconds().into());
    }
    response
}

/// Carries the bytes of an upgraded connection, in a task that ends with either side.
fn connect_tunnel((client, upstream): (OnUpgrade, Switched), backend: &Backend, exchange: &Exchange) {
    let (idle, id) = (backend.read_timeout, exchange.request_id);
    let closing = exchange.connection.closing().cloned();
    tokio::spawn(async move {
        if let Err(error) = tunnel(client, upstream, idle, closing).await {
            tracing::debug!(request_id = %id, %error, "an upgraded connection ended");
        }
    });
}
