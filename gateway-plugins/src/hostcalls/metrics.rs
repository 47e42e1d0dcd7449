//! Metrics of the guest's own.

use wasmtime::Linker;

use super::kind;
use crate::{
    abi::Status,
    caller::{Called, Caller, view},
    host::Host,
    memory::{bytes, put_u32, put_u64},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_define_metric" => define_metric, (metric: u32, name: u32, size: u32, id_at: u32);
        "proxy_record_metric" => record, (id: u32, value: u64);
        "proxy_increment_metric" => increment, (id: u32, delta: i64);
        "proxy_get_metric" => get, (id: u32, value_at: u32);
    });
    Ok(())
}

/// The longest name of a metric, in bytes.
const LONGEST_NAME: u32 = 256;

fn define_metric(caller: &mut Caller<'_>, metric: u32, name: u32, size: u32, id_at: u32) -> Called {
    let metric = kind(metric)?;
    let (memory, host) = view(caller)?;
    if size > LONGEST_NAME {
        return Err(Status::BadArgument.into());
    }
    let name = std::str::from_utf8(bytes(memory, name, size)?).map_err(|_| Status::BadArgument)?;
    let id = host.runtime.metrics.define(metric, name)?;
    Ok(put_u32(memory, id_at, id)?)
}

fn record(caller: &mut Caller<'_>, id: u32, value: u64) -> Called {
    Ok(caller.data().runtime.metrics.record(id, value)?)
}

fn increment(caller: &mut Caller<'_>, id: u32, delta: i64) -> Called {
    Ok(caller.data().runtime.metrics.increment(id, delta)?)
}

fn get(caller: &mut Caller<'_>, id: u32, value_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    Ok(put_u64(memory, value_at, host.runtime.metrics.get(id)?)?)
}
