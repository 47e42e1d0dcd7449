//! Properties.

use bytes::Bytes;
use wasmtime::Linker;

use crate::{
    abi::{MapKind, Status},
    caller::{Called, Caller, give, view},
    fields,
    host::{ABSENT, Host},
    memory::bytes,
    message::with_exchange,
    properties::{of_consumer, of_exchange},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_get_property" => get, (path: u32, size: u32, value_at: u32, size_at: u32);
        "proxy_set_property" => set, (path: u32, size: u32, value: u32, value_size: u32);
    });
    Ok(())
}

/// The most names in a path.
const DEEPEST: usize = 8;

fn get(caller: &mut Caller<'_>, path: u32, size: u32, value_at: u32, size_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    let value = find(host, bytes(memory, path, size)?).ok_or(ABSENT)?;
    give(caller, &value, value_at, size_at)
}

fn find(host: &Host, path: &[u8]) -> Option<Bytes> {
    if let Some(value) = of_plugin(host, path) {
        return Some(value);
    }
    let stream = host.streams.get(host.effective)?;
    if let Some(value) = stream.notes.as_ref().and_then(|notes| notes.get(path)) {
        return Some(value);
    }
    // A zero may stand at the end, too.
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let names: smallvec::SmallVec<[&[u8]; DEEPEST]> = path.split(|byte| *byte == 0).take(DEEPEST).collect();
    // Who was found out in this callback is not the exchange's consumer before it ends.
    if let ([b"consumer", name], Some(identity)) = (&names[..], host.message.effects.identity()) {
        return of_consumer(name, identity.consumer());
    }
    let headers = |map| fields::headers(host, map);
    with_exchange(|exchange| {
        of_exchange(&names, exchange, headers(MapKind::RequestHeaders), headers(MapKind::ResponseHeaders))
    })?
}

fn of_plugin(host: &Host, path: &[u8]) -> Option<Bytes> {
    match path {
        b"plugin_name" | b"plugin_vm_id" => Some(Bytes::copy_from_slice(host.runtime.name.as_bytes())),
        b"plugin_root_id" => Some(Bytes::copy_from_slice(host.config()?.root_id.as_bytes())),
        _ => None,
    }
}

fn set(caller: &mut Caller<'_>, path: u32, size: u32, value: u32, value_size: u32) -> Called {
    let (memory, host) = view(caller)?;
    let (path, value) = (bytes(memory, path, size)?, bytes(memory, value, value_size)?);
    let stream = host.streams.get(host.effective).ok_or(ABSENT)?;
    let notes = stream.notes.as_ref().ok_or(Status::NotFound)?;
    Ok(notes.set(path, value)?)
}
