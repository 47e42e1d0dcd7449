//! An answer of the guest's own.

use bytes::Bytes;
use gateway_core::{
    Body,
    reply::{Form, as_grpc},
};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use wasmtime::Linker;

use super::within;
use crate::{
    abi::{Status, pairs},
    caller::{Called, Caller, view},
    fields::{final_status, plain},
    host::Host,
    memory::bytes,
    message::with_exchange,
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_send_local_response" => send, (
            status: u32, details: u32, details_size: u32, body: u32, body_size: u32,
            headers: u32, headers_size: u32, grpc_status: i32
        );
    });
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn send(
    caller: &mut Caller<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: i32,
) -> Called {
    let (memory, host) = view(caller)?;
    bytes(memory, details, details_size)?;
    within(body_size, host.runtime.limits.value)?;
    let text = bytes(memory, body, body_size)?;
    let pairs = pairs::decode(bytes(memory, headers, headers_size)?)?;
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(text)));
    *response.status_mut() = final_status(status.to_string().as_bytes()).ok_or(Status::BadArgument)?;
    *response.headers_mut() = fields(&pairs, body_size > 0)?;
    if with_exchange(|exchange| exchange.asked.form()) == Some(Some(Form::Grpc)) {
        // Negative where the guest has none.
        as_grpc(&mut response, u16::try_from(grpc_status).ok(), &String::from_utf8_lossy(text));
    }
    let Some(stream) = host.stream() else {
        // A root has nobody to answer. Other hosts say nothing either.
        return Ok(());
    };
    stream.answer(Box::new(response));
    Ok(())
}

/// A text has a type, as in Envoy, but for one that is said to have none: an empty `content-type`.
fn fields(pairs: &[pairs::Pair<'_>], has_body: bool) -> Result<HeaderMap, Status> {
    let mut fields = plain(pairs)?;
    if has_body && !fields.contains_key(CONTENT_TYPE) {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    if fields.get(CONTENT_TYPE).is_some_and(HeaderValue::is_empty) {
        fields.remove(CONTENT_TYPE);
    }
    Ok(fields)
}
