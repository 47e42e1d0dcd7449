//! gRPC callouts. What SDKs take for an answer is narrow: a call that cannot be made is a parse failure, as in Envoy.

use std::time::Duration;

use gateway_core::Body;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_TYPE, HOST, TE},
    uri::PathAndQuery,
};
use wasmtime::Linker;

use super::within;
use crate::{
    abi::{Status, pairs},
    caller::{Called, Caller, view},
    fields::plain,
    grpc::{self, Call, Sending, Shape, framed, open},
    host::Host,
    memory::{bytes, put_u32},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_grpc_call" => call, (
            upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32,
            metadata: u32, metadata_size: u32, message: u32, message_size: u32, milliseconds: u32, token_at: u32
        );
        "proxy_grpc_stream" => stream, (
            upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32,
            metadata: u32, metadata_size: u32, token_at: u32
        );
        "proxy_grpc_send" => send, (token: u32, message: u32, size: u32, ends: u32);
        "proxy_grpc_cancel" => cancel, (token: u32);
        "proxy_grpc_close" => close, (token: u32);
    });
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn call(
    caller: &mut Caller<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    message: u32,
    message_size: u32,
    milliseconds: u32,
    token_at: u32,
) -> Called {
    let (memory, host) = view(caller)?;
    within(message_size, host.runtime.limits.value)?;
    let body = Body::from(framed(bytes(memory, message, message_size)?));
    let names = [(upstream, upstream_size), (service, service_size), (method, method_size)];
    let time = Duration::from_millis(milliseconds.into()).min(host.runtime.limits.callout_time);
    begin(caller, names, (metadata, metadata_size), Shape::Unary(time), (body, None), token_at)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn stream(
    caller: &mut Caller<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    token_at: u32,
) -> Called {
    let names = [(upstream, upstream_size), (service, service_size), (method, method_size)];
    let (sending, body) = open();
    begin(caller, names, (metadata, metadata_size), Shape::Stream, (body, Some(sending)), token_at)
}

/// Begins a call of `upstream`, `service` and `method`, each a pointer and a length.
///
/// Envoy takes a name for `upstream`, or a message with one: its SDK for C++ says the message.
fn begin(
    caller: &mut Caller<'_>,
    [upstream, service, method]: [(u32, u32); 3],
    metadata: (u32, u32),
    shape: Shape,
    (body, sending): (Body, Option<Sending>),
    token_at: u32,
) -> Called {
    let (memory, host) = view(caller)?;
    // Before anything is sent: a call whose token is lost cannot be answered.
    put_u32(memory, token_at, 0)?;
    let text = |(pointer, length)| -> Result<&str, Status> {
        std::str::from_utf8(bytes(memory, pointer, length)?).map_err(|_| Status::ParseFailure)
    };
    let said = bytes(memory, upstream.0, upstream.1)?;
    let (service, method) = (text(service)?, text(method)?);
    let metadata = pairs::decode(bytes(memory, metadata.0, metadata.1)?).and_then(|pairs| plain(&pairs));
    let metadata = metadata.map_err(|_| Status::ParseFailure)?;
    let upstream = grpc::upstream(said).ok_or(Status::ParseFailure)?;
    let Some(reach) = host.config().and_then(|config| config.reach(upstream)) else {
        tracing::debug!(plugin = &*host.runtime.name, upstream, "a plugin may not call this upstream");
        return Err(Status::ParseFailure.into());
    };
    let mut request = request(service, method, metadata, body).ok_or(Status::ParseFailure)?;
    if let Shape::Unary(time) = shape {
        request.headers_mut().insert("grpc-timeout", timeout(time));
    }
    request.extensions_mut().insert(reach);
    let token = host.new_token();
    let context = host.effective;
    let root = host.root_of(context).ok_or(Status::InternalFailure)?;
    let task = match host.shard {
        None => None,
        Some(worker) => {
            let calling = host.runtime.services.sources.call(upstream, request, worker);
            host.spawn_grpc(calling.ok_or(Status::ParseFailure)?, token, shape)?
        }
    };
    host.grpc.add(token, Call { context, root, shape, sending, task });
    let (memory, _) = view(caller)?;
    Ok(put_u32(memory, token_at, token)?)
}

/// A call as HTTP/2 has it. Whoever it goes to has its own name: it is said by no guest.
fn request(service: &str, method: &str, metadata: HeaderMap, body: Body) -> Option<Request<Body>> {
    let plain = |name: &str| !name.is_empty() && !name.contains(['/', '?', '#']);
    let path = (plain(service) && plain(method)).then(|| format!("/{service}/{method}"))?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from(PathAndQuery::try_from(path).ok()?);
    *request.headers_mut() = metadata;
    let headers = request.headers_mut();
    headers.remove(HOST);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    Some(request)
}

/// At most eight digits, so of seconds where milliseconds are more.
fn timeout(time: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let millis = time.as_millis();
    let text = if millis <= MOST { format!("{millis}m") } else { format!("{}S", (millis / 1000).min(MOST)) };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0m"))
}

fn send(caller: &mut Caller<'_>, token: u32, message: u32, size: u32, ends: u32) -> Called {
    let (memory, host) = view(caller)?;
    let most = host.runtime.limits.value;
    within(size, most)?;
    // No message and the end are the end alone.
    let only_ends = size == 0 && message == 0 && ends != 0;
    let message = if only_ends { None } else { Some(framed(bytes(memory, message, size)?)) };
    let root = own_root(host)?;
    Ok(host.grpc.send(token, root, message, (ends != 0, most.saturating_add(1024)))?)
}

fn cancel(caller: &mut Caller<'_>, token: u32) -> Called {
    let (_, host) = view(caller)?;
    let root = own_root(host)?;
    Ok(host.grpc.cancel(token, root)?)
}

fn close(caller: &mut Caller<'_>, token: u32) -> Called {
    let (_, host) = view(caller)?;
    let root = own_root(host)?;
    Ok(host.grpc.close(token, root)?)
}

fn own_root(host: &Host) -> Result<u32, Status> {
    host.root_of(host.effective).ok_or(Status::NotFound)
}
