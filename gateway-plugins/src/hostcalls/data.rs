//! Shared data.

use bytes::Bytes;
use wasmtime::Linker;

use super::copied;
use crate::{
    caller::{Called, Caller, give, view},
    host::{ABSENT, Host},
    memory::{bytes, put_u32},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_get_shared_data" => get, (key: u32, key_size: u32, value_at: u32, size_at: u32, version_at: u32);
        "proxy_set_shared_data" => set, (key: u32, key_size: u32, value: u32, size: u32, version: u32);
    });
    Ok(())
}

fn get(
    caller: &mut Caller<'_>,
    key: u32,
    key_size: u32,
    value_at: u32,
    size_at: u32,
    version_at: u32,
) -> Called {
    let (memory, host) = view(caller)?;
    let (value, version) = host.runtime.data.get(bytes(memory, key, key_size)?).ok_or(ABSENT)?;
    put_u32(memory, version_at, version)?;
    give(caller, &value, value_at, size_at)
}

fn set(caller: &mut Caller<'_>, key: u32, key_size: u32, value: u32, size: u32, version: u32) -> Called {
    let value = Bytes::from(copied(caller, value, size)?);
    let (memory, host) = view(caller)?;
    Ok(host.runtime.data.set(bytes(memory, key, key_size)?, value, version)?)
}
