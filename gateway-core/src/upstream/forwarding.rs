//! A request on its way to a service, and the answer.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header::SET_COOKIE};
use http_body::Body as _;

use super::{
    Backend, HostPolicy, Switched,
    attempt::{Answered, Coming},
    hashing::Hashed,
    held::hold,
    rules::Rules,
    tries::Tries,
    upload::Upload,
};
use crate::{Body, error::Error, plugin::Exchange, sanitize::Lines};

impl Backend {
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
        let (tries, cookie) = self.tries(request, host, lines, shard, exchange);
        let outcome = tries.run(request, exchange).await;
        exchange.request_bytes = tries.upload.as_deref().map_or(exchange.request_bytes, Upload::bytes);
        self.response(outcome?, cookie, tries.hash)
    }

    /// The same where policies have a say.
    pub(crate) async fn forward_governed(
        &self,
        request: &mut Request<Body>,
        host: HostPolicy,
        lines: &Lines<'_>,
        exchange: &mut Exchange,
        rules: &Rules<'_>,
    ) -> Result<Response<Body>, Error> {
        let shard = exchange.shard;
        let (tries, cookie) = self.tries(request, host, Some(lines), shard, exchange);
        let outcome = tries.run_governed(request, exchange, rules).await;
        exchange.request_bytes = tries.upload.as_deref().map_or(exchange.request_bytes, Upload::bytes);
        let (answered, permits) = outcome?;
        let mut response = self.response(answered, cookie, tries.hash)?;
        hold(&mut response, permits);
        Ok(response)
    }

    fn tries<'a>(
        &'a self,
        request: &mut Request<Body>,
        host: HostPolicy,
        lines: Option<&'a Lines<'a>>,
        shard: usize,
        exchange: &Exchange,
    ) -> (Tries<'a>, Option<Box<HeaderValue>>) {
        let upload = watch(request);
        let group = self.upstream.group();
        let Hashed { hash, cookie } = match (&group.hashing, group.sticky()) {
            (Some(hashing), _) => hashing.of(request, exchange),
            (None, sticky) => {
                let named = sticky.and_then(|sticky| sticky.named(request.headers()));
                Hashed { hash: named, cookie: None }
            }
        };
        (Tries { backend: self, host, lines, shard, hash, upload }, cookie)
    }

    fn response(
        &self,
        (head, coming): Answered,
        cookie: Option<Box<HeaderValue>>,
        named: Option<u32>,
    ) -> Result<Response<Body>, Error> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.headers;
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, *cookie);
        }
        let sticky = self.upstream.group().sticky();
        if let Some(cookie) = sticky.and_then(|sticky| sticky.cookie(coming.endpoint(), named)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        match coming {
            Coming::Http1(_, lease) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                response.extensions_mut().insert(Switched::new(lease));
            }
            coming => *response.body_mut() = coming.download(self.read_timeout)?,
        }
        Ok(response)
    }
}

/// Puts a watch on a body that is still arriving.
fn watch(request: &mut Request<Body>) -> Option<Arc<Upload>> {
    if request.body().is_end_stream() || request.body().as_bytes().is_some() {
        return None;
    }
    let (watched, upload) = Upload::watching(std::mem::take(request.body_mut()));
    *request.body_mut() = Body::new(watched);
    Some(upload)
}
