//! The inner end of every chain: the request goes up, the response comes down.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header::RETRY_AFTER, response::Parts, uri::PathAndQuery};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;

use crate::{
    Body,
    config::Route,
    error::{BoxError, Error, Reason},
    plugin::{Bound, Destination, Exchange, Forward, Scoped, Source, Tap, Way, Ways},
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
    /// To the route's own service.
    own: Option<Branch>,
    /// To where plugins may send requests instead; none on most routes.
    others: Arc<[(Arc<Destination>, Branch)]>,
    host: HostPolicy,
    buffering: bool,
    outbound: Arc<Outbound>,
}

/// One place that a route forwards to.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) backend: Arc<Backend>,
    /// Of each plugin that has a say, those of higher priority first; none on most routes.
    pub(crate) policies: Box<[Scoped<Bound>]>,
    /// What the beginning of the path becomes: that of the route's own service, and that of this one.
    pub(crate) path: Option<(Box<str>, Box<str>)>,
}

impl Forwarder {
    pub(crate) fn new(
        own: Option<Branch>,
        others: Vec<(Arc<Destination>, Branch)>,
        route: &Route,
        outbound: Arc<Outbound>,
    ) -> Self {
        let host = if route.preserve_host { HostPolicy::Client } else { HostPolicy::Endpoint };
        Self { own, others: others.into(), host, buffering: route.request_buffering, outbound }
    }

    /// Where it forwards to, unless a plugin says otherwise.
    #[cfg(test)]
    pub(crate) fn backend(&self) -> Option<&Arc<Backend>> {
        self.own.as_ref().map(|branch| &branch.backend)
    }

    /// Where plugins may send requests instead.
    pub(crate) fn others(&self) -> &[(Arc<Destination>, Branch)] {
        &self.others
    }

    /// The same places, for plugins that send requests of their own.
    pub(crate) fn ways(&self) -> Ways {
        let way = |(destination, _): &(Arc<Destination>, Branch)| {
            let way = Detour { forwarder: self.clone(), to: Arc::clone(destination) };
            (Arc::clone(destination), Arc::new(way) as Arc<dyn Way>)
        };
        self.others.iter().map(way).collect()
    }

    fn branch(&self, to: Option<&Arc<Destination>>) -> Option<&Branch> {
        let Some(to) = to else { return self.own.as_ref() };
        self.others.iter().find(|(destination, _)| destination == to).map(|(_, branch)| branch)
    }

    async fn try_forward(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        let branch = self.branch(exchange.destination.as_ref()).ok_or(Reason::NoService)?;
        let backend = &branch.backend;
        if let Some((own, other)) = &branch.path {
            lead_elsewhere(request, own, other);
        }
        let client = exchange.upgrade.is_some().then(|| hyper::upgrade::on(&mut *request));
        let response = if branch.policies.is_empty() {
            if self.reads_ahead(request, exchange, self.outbound.request_buffer) {
                Box::pin(self.read_ahead(backend, request, exchange, self.outbound.request_buffer)).await?;
            }
            let lines = self.complete(request, exchange);
            let shard = exchange.shard;
            backend.forward_with(request, self.host, Some(&lines), shard, exchange).await?
        } else {
            // In a box: routes without policies hold no room for it.
            Box::pin(self.forward_governed(branch, request, exchange)).await?
        };
        let (mut parts, body) = response.into_parts();
        let upstream = client.is_some().then(|| parts.extensions.remove::<Switched>()).flatten();
        self.guard(&mut parts, exchange)?;
        if parts.status == StatusCode::SWITCHING_PROTOCOLS
            && let (Some(client), Some(upstream)) = (client, upstream)
        {
            connect_tunnel((client, upstream), backend, exchange);
        }
        exchange.source = Source::Service;
        Ok(Response::from_parts(parts, body))
    }

    /// The same where policies have a say.
    async fn forward_governed(
        &self,
        branch: &Branch,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Error> {
        let consumer = exchange.consumer.as_ref().map(|consumer| consumer.id);
        let mut rules = Rules::default();
        let chosen = branch.policies.iter().filter_map(|scoped| scoped.resolve(consumer));
        chosen.for_each(|(_, policy)| rules.push(policy));
        let limit = self.outbound.request_buffer.max(rules.replay());
        if self.reads_ahead(request, exchange, limit) {
            self.read_ahead(&branch.backend, request, exchange, limit).await?;
        }
        let lines = self.complete(request, exchange);
        branch.backend.forward_governed(request, self.host, &lines, exchange, &rules).await
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
    /// a failed try can be repeated (compat D18). A longer one streams, with what has been read of it in front. Over
    /// HTTP/2 only what is here already is read: client and server of a gRPC stream may talk in turn.
    async fn read_ahead(
        &self,
        backend: &Backend,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        limit: usize,
    ) -> Result<(), Error> {
        let body = std::mem::take(request.body_mut());
        let body = if backend.transport.is_http2() {
            body.prefetch_arrived(limit).await
        } else {
            body.prefetch(limit).await
        };
        let body = body.map_err(unreadable)?;
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
    fn guard(&self, parts: &mut Parts, exchange: &mut Exchange) -> Result<(), Reason> {
        exchange.answered_in = guard_response(parts, exchange.upgrade.as_ref(), exchange.trailers)?;
        append_via(&mut parts.headers, exchange.answered_in, &self.outbound.brand);
        Ok(())
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

/// One of the other places of a forwarder.
struct Detour {
    forwarder: Forwarder,
    to: Arc<Destination>,
}

impl Way for Detour {
    fn is_down(&self) -> bool {
        self.forwarder.branch(Some(&self.to)).is_none_or(|branch| branch.backend.upstream.outage().is_some())
    }

    fn send(
        &self,
        mut request: Request<Body>,
        mut exchange: Exchange,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let forwarder = self.forwarder.clone();
        exchange.send_to(&self.to);
        Box::pin(async move { forwarder.forward(&mut request, &mut exchange).await })
    }
}

/// Exchanges the path of one service, which the target of `request` begins with, for that of another. A target that
/// plugins have made anew, so that it begins otherwise, stays.
fn lead_elsewhere(request: &mut Request<Body>, own: &str, other: &str) {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let Some(rest) = target.strip_prefix(own.trim_end_matches('/')) else { return };
    let mut text = String::with_capacity(other.len() + rest.len());
    text.push_str(other.trim_end_matches('/'));
    if text.is_empty() && !rest.starts_with('/') {
        text.push('/');
    }
    text.push_str(rest);
    if let Ok(target) = PathAndQuery::from_maybe_shared(Bytes::from(text)) {
        *request.uri_mut() = Uri::from(target);
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
        let failed = response.status().is_client_error() || response.status().is_server_error();
        exchange.reason = failed.then_some(Reason::Plugin);
        return response;
    }
    if let Some(refusal) = Refusal::find(error) {
        exchange.reason = Some(refusal.reason);
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

#[cfg(test)]
mod tests {
    use http::Request;

    use super::lead_elsewhere;
    use crate::Body;

    #[test]
    fn the_path_of_one_service_becomes_that_of_another() {
        for (own, other, target, led) in [
            ("/v1", "/v2", "/v1/users?a=1", "/v2/users?a=1"),
            ("/", "/v2", "/users", "/v2/users"),
            ("/v1", "/", "/v1/users", "/users"),
            ("/v1/", "/v2", "/v1/users", "/v2/users"),
            ("/v1", "/v2/", "/v1", "/v2"),
            ("/v1", "/v2", "/v1s", "/v2s"),
            ("/v1", "/", "/v1?a=1", "/?a=1"),
            ("/v1", "/v2", "/other", "/other"),
        ] {
            let mut request = Request::get(target).body(Body::empty()).unwrap();
            lead_elsewhere(&mut request, own, other);
            assert_eq!(request.uri(), led, "{own} {other} {target}");
        }
    }
}
