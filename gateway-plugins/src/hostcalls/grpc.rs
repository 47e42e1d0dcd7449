//! gRPC callouts. They are not there yet: a guest that has them in its code loads, and each call fails.

use wasmtime::Linker;

use crate::{
    abi::Status,
    host::Host,
    memory::{Called, Caller},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_grpc_call" => call, (
            _a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32, _g: u32, _h: u32, _i: u32, _j: u32, _k: u32, _l: u32
        );
        "proxy_grpc_stream" => stream, (
            _a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32, _g: u32, _h: u32, _i: u32
        );
        "proxy_grpc_send" => send, (_id: u32, _message: u32, _size: u32, _end: u32);
        "proxy_grpc_cancel" => end, (_id: u32);
        "proxy_grpc_close" => end, (_id: u32);
    });
    Ok(())
}

/// The status of a call that the host failed to send. `UNIMPLEMENTED` is none that SDKs of this call know.
const UNSENT: Status = Status::InternalFailure;

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn call(
    _: &mut Caller<'_>,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
) -> Called {
    Err(UNSENT.into())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn stream(
    _: &mut Caller<'_>,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
) -> Called {
    Err(UNSENT.into())
}

fn send(_: &mut Caller<'_>, _: u32, _: u32, _: u32, _: u32) -> Called {
    Err(Status::NotFound.into())
}

fn end(_: &mut Caller<'_>, _: u32) -> Called {
    Err(Status::NotFound.into())
}
