//! Shared queues.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use wasmtime::Linker;

use super::copied;
use crate::{
    abi::Status,
    caller::{Called, Caller, give, view},
    commons::Commons,
    home::Listener,
    host::{ABSENT, Host},
    memory::{bytes, put_u32},
    shared::QueueId,
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

/// The longest name of a queue, in bytes.
const LONGEST_NAME: u32 = 256;

/// The root is told of what comes in, also where a request's context registers.
fn register(caller: &mut Caller<'_>, name: u32, size: u32, id_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    if size > LONGEST_NAME {
        return Err(Status::BadArgument.into());
    }
    let listener = host.root_of(host.effective).and_then(|root| Listener::of(&host.home, root));
    let runtime = &host.runtime;
    let id = runtime.commons.queues.register(&runtime.name, bytes(memory, name, size)?, listener)?;
    Ok(put_u32(memory, id_at, id)?)
}

/// The "VM" is the plugin's name; none is the guest's own.
fn resolve(caller: &mut Caller<'_>, vm: u32, vm_size: u32, name: u32, size: u32, id_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    let runtime = &host.runtime;
    let vm = std::str::from_utf8(bytes(memory, vm, vm_size)?).map_err(|_| ABSENT)?;
    let vm = if vm.is_empty() { &runtime.name } else { vm };
    let id = runtime.commons.queues.resolve(vm, bytes(memory, name, size)?).ok_or(ABSENT)?;
    Ok(put_u32(memory, id_at, id)?)
}

/// Who listens is told once this callback is over: it may be this very instance.
fn enqueue(caller: &mut Caller<'_>, id: u32, value: u32, size: u32) -> Called {
    let item = Bytes::from(copied(caller, value, size)?);
    let host = caller.data_mut();
    let wanted = host.runtime.commons.queues.enqueue(id, item)?;
    if wanted && let Ok(runtime) = Handle::try_current() {
        runtime.spawn(tell(Arc::clone(&host.runtime.commons), id));
    }
    Ok(())
}

/// Tells who listens, once for each item, until nothing is left to tell. There is one such task a queue, and it is no
/// instance's: who puts in may end before who is told.
async fn tell(commons: Arc<Commons>, id: QueueId) {
    let mut telling = Telling { commons: &commons, id, ended: false };
    while let Some(listener) = commons.queues.next(id) {
        listener.ready(id).await;
    }
    telling.ended = true;
}

/// Where the task ends before its time, with its runtime, another one may begin.
struct Telling<'a> {
    commons: &'a Commons,
    id: QueueId,
    ended: bool,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.commons.queues.told(self.id);
        }
    }
}

fn dequeue(caller: &mut Caller<'_>, id: u32, value_at: u32, size_at: u32) -> Called {
    let (memory, host) = view(caller)?;
    // Before the item is taken: it would be lost.
    for at in [value_at, size_at] {
        bytes(memory, at, 4)?;
    }
    let item = host.runtime.commons.queues.dequeue(id)?;
    give(caller, &item, value_at, size_at)
}
