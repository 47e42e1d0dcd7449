//! Bodies, and the other things that come as buffers.

use wasmtime::Linker;

use super::kind;
use crate::{
    abi::{BufferKind, Side, Status},
    buffer::Buffer,
    caller::{Called, Caller, give, view},
    event::Received,
    host::{ABSENT, Host},
    memory::{bytes, put_u32},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_get_buffer_bytes" => get, (buffer: u32, start: u32, most: u32, value_at: u32, size_at: u32);
        "proxy_set_buffer_bytes" => set, (buffer: u32, start: u32, size: u32, value: u32, value_size: u32);
        "proxy_get_buffer_status" => length, (buffer: u32, length_at: u32, flags_at: u32);
        "proxy_get_configuration" => configuration, (value_at: u32, size_at: u32);
    });
    Ok(())
}

fn get(caller: &mut Caller<'_>, buffer: u32, start: u32, most: u32, value_at: u32, size_at: u32) -> Called {
    let (_, host) = view(caller)?;
    let buffer = find(host, kind(buffer)?).ok_or(ABSENT)?;
    // Copied, since the guest may do anything while it allocates.
    let value = buffer.read(start, most)?.to_vec();
    give(caller, &value, value_at, size_at)
}

fn set(caller: &mut Caller<'_>, buffer: u32, start: u32, size: u32, value: u32, value_size: u32) -> Called {
    let kind = kind(buffer)?;
    let (memory, host) = view(caller)?;
    let (mine, limit) = (host.has_message(), host.runtime.limits.body);
    let side = match kind {
        BufferKind::RequestBody => Side::Request,
        BufferKind::ResponseBody => Side::Response,
        _ => return Err(Status::BadArgument.into()),
    };
    let body = host.message.body.as_mut().filter(|(of, _)| mine && *of == side);
    let (_, body) = body.ok_or(ABSENT)?;
    Ok(body.splice(start, size, bytes(memory, value, value_size)?, limit)?)
}

fn length(caller: &mut Caller<'_>, buffer: u32, length_at: u32, flags_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    let length = find(host, kind(buffer)?).ok_or(ABSENT)?.len();
    put_u32(memory, length_at, u32::try_from(length).map_err(|_| Status::InternalFailure)?)?;
    Ok(put_u32(memory, flags_at, 0)?)
}

/// 0.1.0: that of the instance while it starts, that of the plugin otherwise.
fn configuration(caller: &mut Caller<'_>, value_at: u32, size_at: u32) -> Called {
    let (_, host) = view(caller)?;
    let message = &host.message;
    let configuration = message.vm_configuration.as_ref().or(message.configuration.as_ref());
    let configuration = configuration.map(|buffer| buffer.as_slice().to_vec()).unwrap_or_default();
    give(caller, &configuration, value_at, size_at)
}

fn find(host: &Host, kind: BufferKind) -> Option<&Buffer> {
    let message = &host.message;
    let body = |side| {
        message.body.as_ref().filter(|(of, _)| host.has_message() && *of == side).map(|(_, body)| body)
    };
    match kind {
        BufferKind::RequestBody => body(Side::Request),
        BufferKind::ResponseBody => body(Side::Response),
        BufferKind::CallResponseBody => message.answered.as_ref().map(|answered| &answered.body),
        BufferKind::VmConfiguration => message.vm_configuration.as_ref(),
        BufferKind::PluginConfiguration => message.configuration.as_ref(),
        BufferKind::ForeignArguments => message.arguments.as_ref(),
        BufferKind::GrpcMessage => match &message.received {
            Some(Received::Message(message)) => Some(message),
            _ => None,
        },
        BufferKind::DownstreamData | BufferKind::UpstreamData => None,
    }
}
