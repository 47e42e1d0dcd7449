//! Letting a message go on, and giving an exchange up.

use wasmtime::Linker;

use super::{Continue, kind};
use crate::{
    abi::{Side, Status},
    caller::{Called, Caller, give, view},
    event::Received,
    host::Host,
    memory::put_u32,
};

pub(super) fn define(linker: &mut Linker<Host>, continues: Continue) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_continue_stream" => continue_stream, (stream: u32);
        "proxy_close_stream" => close_stream, (stream: u32);
        "proxy_get_status" => get_status, (code_at: u32, message_at: u32, size_at: u32);
    });
    match continues {
        Continue::Returns => {
            super::define!(linker, "env", {
                "proxy_continue_request" => continue_request, ();
                "proxy_continue_response" => continue_response, ();
                "proxy_clear_route_cache" => clear_route_cache, ();
            });
        }
        Continue::Silent => {
            linker.func_wrap("env", "proxy_continue_request", |mut caller: Caller<'_>| {
                drop(continue_request(&mut caller));
            })?;
            linker.func_wrap("env", "proxy_continue_response", |mut caller: Caller<'_>| {
                drop(continue_response(&mut caller));
            })?;
            linker.func_wrap("env", "proxy_clear_route_cache", |_: Caller<'_>| ())?;
        }
    }
    Ok(())
}

fn continue_request(caller: &mut Caller<'_>) -> Called {
    resume(caller.data_mut(), Side::Request)
}

fn continue_response(caller: &mut Caller<'_>) -> Called {
    resume(caller.data_mut(), Side::Response)
}

/// The route is found before any plugin runs, and kept.
fn clear_route_cache(_: &mut Caller<'_>) -> Called {
    Ok(())
}

fn continue_stream(caller: &mut Caller<'_>, stream: u32) -> Called {
    resume(caller.data_mut(), kind(stream)?)
}

fn resume(host: &mut Host, side: Side) -> Called {
    let stream = host.stream().ok_or(Status::BadArgument)?;
    stream.resume(side);
    Ok(())
}

/// Either side ends both: an exchange is one.
fn close_stream(caller: &mut Caller<'_>, stream: u32) -> Called {
    kind::<Side>(stream)?;
    let host = caller.data_mut();
    host.stream().ok_or(Status::BadArgument)?.close();
    Ok(())
}

/// The status of the callout whose answer is at hand, or whose end is.
fn get_status(caller: &mut Caller<'_>, code_at: u32, message_at: u32, size_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    if let Some(Received::Closed(code, message)) = &host.message.received {
        put_u32(memory, code_at, *code)?;
        let message = message.clone();
        return give(caller, message.as_bytes(), message_at, size_at);
    }
    let status = host.message.answered.as_ref().map(|answered| answered.status);
    put_u32(memory, code_at, status.map_or(0, |status| status.as_u16().into()))?;
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
    give(caller, reason.as_bytes(), message_at, size_at)
}
