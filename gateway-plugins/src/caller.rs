//! A host call at work: what it may look at, and what it comes to.

use crate::{
    abi::Status,
    host::Host,
    memory::{put, put_u32},
};

/// A host call at work.
pub(crate) type Caller<'a> = wasmtime::Caller<'a, Host>;

/// Why a host call does not succeed: the guest is told, or it ends.
#[derive(Debug)]
pub(crate) enum Fault {
    Status(Status),
    /// The guest's allocator trapped, or the guest asked for its end.
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a host call comes to.
pub(crate) type Called = Result<(), Fault>;

/// Memory and host at a time.
pub(crate) fn view<'a>(caller: &'a mut Caller<'_>) -> Result<(&'a mut [u8], &'a mut Host), Status> {
    // A start function may call before the instance is complete: it has no memory to point into yet.
    let memory = caller.data().guest.as_ref().ok_or(Status::InternalFailure)?.memory;
    Ok(memory.data_and_store_mut(caller))
}

/// Hands `value` to the guest: into memory that it allocates, with pointer and size where it wants them. Where those
/// lie is checked first. No bytes need no memory: the pointer is null then.
pub(crate) fn give(caller: &mut Caller<'_>, value: &[u8], pointer_at: u32, size_at: u32) -> Called {
    let size = u32::try_from(value.len()).map_err(|_| Status::InternalFailure)?;
    let (memory, host) = view(caller)?;
    put_u32(memory, pointer_at, 0)?;
    put_u32(memory, size_at, size)?;
    if value.is_empty() {
        return Ok(());
    }
    if let Some(room) = host.mailbox.and_then(|mailbox| mailbox.room(value.len())) {
        put(memory, room, value)?;
        return Ok(put_u32(memory, pointer_at, room)?);
    }
    let guest = host.guest.clone().ok_or(Status::InternalFailure)?;
    let pointer = guest.allocate.call(&mut *caller, size).map_err(Fault::Trap)?;
    if pointer == 0 {
        return Err(Status::InternalFailure.into());
    }
    let (memory, _) = view(caller)?;
    put(memory, pointer, value)?;
    put_u32(memory, pointer_at, pointer)?;
    Ok(())
}
