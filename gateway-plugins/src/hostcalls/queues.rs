//! Shared queues.

use bytes::Bytes;
use wasmtime::Linker;

use super::copied;
use crate::{
    host::{ABSENT, Home, Host},
    memory::{Called, Caller, bytes, give, put_u32, view},
    worker::Listener,
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_register_shared_queue" => register, (name: u32, size: u32, id_at: u32);
        "proxy_resolve_shared_queue" => resolve, (vm: u32, vm_size: u32, name: u32, size: u32, id_at: u32);
        "proxy_enqueue_shared_queue" => enqueue, (id: u32, value: u32, size: u32);
        "proxy_dequeue_shared_queue" => dequeue, (id: u32, value_at: u32, size_at: u32);
    });
    Ok(())
}

/// The root is told of what comes in, also where a request's context registers.
fn register(caller: &mut Caller<'_>, name: u32, size: u32, id_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    let listener = match (&host.home, host.root_of(host.effective)) {
        (Home::Worker(worker, life), Some(root)) => {
            Some(Listener { worker: worker.clone(), life: *life, root })
        }
        _ => None,
    };
    let runtime = &host.runtime;
    let id = runtime.engine.queues().register(&runtime.name, bytes(memory, name, size)?, listener)?;
    Ok(put_u32(memory, id_at, id)?)
}

/// The "VM" is the plugin's name; none is the guest's own.
fn resolve(caller: &mut Caller<'_>, vm: u32, vm_size: u32, name: u32, size: u32, id_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    let runtime = &host.runtime;
    let vm = std::str::from_utf8(bytes(memory, vm, vm_size)?).map_err(|_| ABSENT)?;
    let vm = if vm.is_empty() { &runtime.name } else { vm };
    let id = runtime.engine.queues().resolve(vm, bytes(memory, name, size)?).ok_or(ABSENT)?;
    Ok(put_u32(memory, id_at, id)?)
}

/// Who listens is told once this callback is over: it may be this very instance.
fn enqueue(caller: &mut Caller<'_>, id: u32, value: u32, size: u32) -> Called {
    let item = Bytes::from(copied(caller, value, size)?);
    let host = caller.data_mut();
    let listener = host.runtime.engine.queues().enqueue(id, item)?;
    match listener {
        Some(listener) => Ok(host.spawn(async move { listener.ready(id) })?),
        None => Ok(()),
    }
}

fn dequeue(caller: &mut Caller<'_>, id: u32, value_at: u32, size_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    // Before the item is taken: it would be lost.
    for at in [value_at, size_at] {
        bytes(memory, at, 4)?;
    }
    let item = host.runtime.engine.queues().dequeue(id)?;
    give(caller, &item, value_at, size_at)
}
