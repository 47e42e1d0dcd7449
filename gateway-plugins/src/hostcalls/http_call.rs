//! HTTP callouts.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Body, BoxError};
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery},
};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::timeout;
use wasmtime::Linker;

use super::within;
use crate::{
    abi::{Status, pairs},
    buffer::Buffer,
    caller::{Called, Caller, view},
    event::{Answered, Event},
    fields::{Pseudo, plain},
    host::Host,
    memory::{bytes, put_u32},
    sources::Calling,
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_http_call" => call, (
            upstream: u32, upstream_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32,
            trailers: u32, trailers_size: u32, milliseconds: u32, token_at: u32
        );
    });
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn call(
    caller: &mut Caller<'_>,
    upstream: u32,
    upstream_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    milliseconds: u32,
    token_at: u32,
) -> Called {
    let (memory, host) = view(caller)?;
    within(body_size, host.runtime.limits.value)?;
    // Before anything is sent: a call whose token is lost cannot be answered.
    put_u32(memory, token_at, 0)?;
    let upstream =
        std::str::from_utf8(bytes(memory, upstream, upstream_size)?).map_err(|_| Status::BadArgument)?;
    let Some(reach) = host.config().and_then(|config| config.reach(upstream)) else {
        tracing::debug!(plugin = &*host.runtime.name, upstream, "a plugin may not call this upstream");
        return Err(Status::BadArgument.into());
    };
    let body = Bytes::copy_from_slice(bytes(memory, body, body_size)?);
    let trailers = plain(&pairs::decode(bytes(memory, trailers, trailers_size)?)?)?;
    let mut request = request(&pairs::decode(bytes(memory, headers, headers_size)?)?, body, trailers)?;
    request.extensions_mut().insert(reach);
    let token = host.new_token();
    let limits = &host.runtime.limits;
    let time = Duration::from_millis(milliseconds.into()).min(limits.callout_time);
    let answer = limits.callout_answer;
    if let Some(worker) = host.shard {
        let calling =
            host.runtime.services.sources.call(upstream, request, worker).ok_or(Status::BadArgument)?;
        host.spawn_callout(async move { Event::Called(token, answered(calling, time, answer).await) })?;
    }
    let (memory, _) = view(caller)?;
    Ok(put_u32(memory, token_at, token)?)
}

/// The answer, whole and within its bound; none where there is none in time.
async fn answered(calling: Calling, time: Duration, most: usize) -> Option<Box<Answered>> {
    let whole = async {
        let (parts, body) = calling.await?.into_parts();
        let body = Limited::new(body, most).collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let body = Buffer::One(body.to_bytes());
        Ok::<_, BoxError>(Answered { status: parts.status, headers: parts.headers, body, trailers })
    };
    match timeout(time, whole).await {
        Ok(Ok(answered)) => Some(Box::new(answered)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a callout failed");
            None
        }
        Err(_) => None,
    }
}

/// A request of pairs, of which three say where it goes.
fn request(pairs: &[pairs::Pair<'_>], body: Bytes, trailers: HeaderMap) -> Result<Request<Body>, Status> {
    let bad = Status::BadArgument;
    let pseudo =
        |wanted| pairs.iter().find(|(key, _)| Pseudo::of(key) == Some(wanted)).map(|(_, value)| *value);
    let method = pseudo(Pseudo::Method).and_then(|method| Method::from_bytes(method).ok());
    let path = pseudo(Pseudo::Path).and_then(|path| PathAndQuery::try_from(path).ok());
    let authority = pseudo(Pseudo::Authority).and_then(|authority| Authority::try_from(authority).ok());
    let (method, path, authority) = (method.ok_or(bad)?, path.ok_or(bad)?, authority.ok_or(bad)?);
    let mut headers = plain(pairs)?;
    headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| bad)?);
    let body = if trailers.is_empty() {
        Body::from(body)
    } else {
        Body::new(Full::new(body).with_trailers(async { Some(Ok(trailers)) }))
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = headers;
    Ok(request)
}
