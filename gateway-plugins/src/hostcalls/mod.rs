//! What a guest can call, one file an area.

mod body;
mod contexts;
mod data;
mod foreign;
mod grpc;
mod headers;
mod http_call;
mod local_reply;
mod logging;
mod metrics;
mod properties;
mod queues;
mod streams;
mod time;
mod wasi;

pub(crate) use wasi::end_line;

use wasmtime::Linker;

use crate::{
    abi::Status,
    caller::{Called, Caller, Fault},
    host::Host,
};

/// What `proxy_continue_request` and the other calls of 0.1.0 alone return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continue {
    /// A status, as hosts and SDKs have it.
    Returns,
    /// Nothing, as the specification has it.
    Silent,
}

/// Defines host calls that answer with a status.
macro_rules! define {
    ($linker:expr, $module:literal, { $($name:literal => $call:path, ($($arg:ident: $ty:ty),*);)+ }) => {
        $($linker.func_wrap($module, $name, |mut caller: $crate::caller::Caller<'_>, $($arg: $ty),*| {
            $crate::hostcalls::status($call(&mut caller, $($arg),*))
        })?;)+
    };
}
use define;

/// Everything a module may import.
pub(crate) fn linker(engine: &wasmtime::Engine, continues: Continue) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    body::define(&mut linker)?;
    contexts::define(&mut linker)?;
    data::define(&mut linker)?;
    foreign::define(&mut linker)?;
    grpc::define(&mut linker)?;
    headers::define(&mut linker)?;
    http_call::define(&mut linker)?;
    local_reply::define(&mut linker)?;
    logging::define(&mut linker)?;
    metrics::define(&mut linker)?;
    properties::define(&mut linker)?;
    queues::define(&mut linker)?;
    streams::define(&mut linker, continues)?;
    time::define(&mut linker)?;
    wasi::define(&mut linker)?;
    Ok(linker)
}

/// The number that the guest sees.
fn status(called: Called) -> wasmtime::Result<i32> {
    match called {
        Ok(()) => Ok(0),
        Err(Fault::Status(status)) => Ok(status.code()),
        Err(Fault::Trap(error)) => Err(error),
    }
}

/// A number out of an argument.
fn kind<K: TryFrom<u32, Error = Status>>(number: u32) -> Result<K, Status> {
    K::try_from(number)
}

/// What a call refuses when the guest hands over more than it may.
fn within(length: u32, limit: usize) -> Result<(), Status> {
    match usize::try_from(length) {
        Ok(length) if length <= limit => Ok(()),
        _ => Err(Status::BadArgument),
    }
}

/// The bytes at `pointer`, copied out of the guest's memory: the host changes while they are used.
fn copied(caller: &mut Caller<'_>, pointer: u32, length: u32) -> Result<Vec<u8>, Status> {
    let (memory, host) = crate::caller::view(caller)?;
    within(length, host.runtime.limits.value)?;
    crate::memory::bytes(memory, pointer, length).map(<[u8]>::to_vec)
}
