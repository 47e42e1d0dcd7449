//! The guest's memory, from the host's side: every pointer and length is checked before it is used.

use wasmtime::{Memory, TypedFunc};

use crate::abi::{Answer, Status};

/// What the host uses of the guest.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) allocate: TypedFunc<u32, u32>,
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
