//! The guest's memory, from the host's side: every pointer and length is checked before it is used.

use wasmtime::{Memory, TypedFunc};

use crate::{
    abi::{Answer, Status},
    host::Host,
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

/// What the host uses of the guest.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) allocate: TypedFunc<u32, u32>,
}

/// Memory and host at a time.
pub(crate) fn view<'a>(caller: &'a mut Caller<'_>) -> Result<(&'a mut [u8], &'a mut Host), Status> {
    // A start function may call before the instance is complete: it has no memory to point into yet.
    let memory = caller.data().guest.as_ref().ok_or(Status::InternalFailure)?.memory;
    Ok(memory.data_and_store_mut(caller))
}

/// The bytes at `pointer`.
pub(crate) fn bytes(memory: &[u8], pointer: u32, length: u32) -> Result<&[u8], Status> {
    let start = index(pointer)?;
    let end = start.checked_add(index(length)?).ok_or(Status::InvalidMemoryAccess)?;
    memory.get(start..end).ok_or(Status::InvalidMemoryAccess)
}

/// Writes a 32-bit number.
pub(crate) fn put_u32(memory: &mut [u8], pointer: u32, value: u32) -> Answer {
    put(memory, pointer, &value.to_le_bytes())
}

/// Writes a 64-bit number.
pub(crate) fn put_u64(memory: &mut [u8], pointer: u32, value: u64) -> Answer {
    put(memory, pointer, &value.to_le_bytes())
}

/// Writes bytes.
pub(crate) fn put(memory: &mut [u8], pointer: u32, value: &[u8]) -> Answer {
    let start = index(pointer)?;
    let end = start.checked_add(value.len()).ok_or(Status::InvalidMemoryAccess)?;
    memory.get_mut(start..end).ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(value);
    Ok(())
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

fn index(number: u32) -> Result<usize, Status> {
    usize::try_from(number).map_err(|_| Status::InvalidMemoryAccess)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{bytes, put};
    use crate::abi::Status;

    proptest! {
        #[test]
        fn what_leads_out_of_memory_is_refused(pointer: u32, length: u32, small in 0u32..40) {
            let mut memory = vec![0; 32];
            for (pointer, length) in [(pointer, length), (small, length), (small, small)] {
                let inside = u64::from(pointer) + u64::from(length) <= 32;
                prop_assert_eq!(bytes(&memory, pointer, length).is_ok(), inside);
            }
            let inside = u64::from(pointer) + 8 <= 32;
            prop_assert_eq!(put(&mut memory, pointer, &[1; 8]).is_ok(), inside);
            prop_assert_eq!(bytes(&memory, small, 33), Err(Status::InvalidMemoryAccess));
        }
    }
}
