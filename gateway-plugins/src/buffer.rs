//! The bytes of a body that a guest looks at.

use bytes::{Bytes, BytesMut};

use crate::abi::Status;

/// One chunk as it came, or several that were put together.
#[derive(Debug)]
pub(crate) enum Buffer {
    One(Bytes),
    Many(BytesMut),
}

impl Default for Buffer {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

impl Buffer {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Puts a chunk behind the others. The first one is kept without a copy.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::One(bytes) if bytes.is_empty() => *self = Self::One(chunk),
            Self::One(bytes) => {
                let mut many = BytesMut::with_capacity(bytes.len() + chunk.len());
                many.extend_from_slice(bytes);
                many.extend_from_slice(&chunk);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.extend_from_slice(&chunk),
        }
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Bytes {
        match std::mem::take(self) {
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }

    /// Up to `most` bytes from `start` on.
    ///
    /// # Errors
    /// A start behind the end.
    pub(crate) fn read(&self, start: u32, most: u32) -> Result<&[u8], Status> {
        let bytes = self.as_slice();
        let start = position(start);
        let end = start.saturating_add(position(most)).min(bytes.len());
        bytes.get(start..end.max(start)).ok_or(Status::BadArgument)
    }

    /// Puts `value` in place of `size` bytes from `start` on: before, behind or within what there is. A start behind
    /// the end is the end.
    ///
    /// # Errors
    /// More than `limit` bytes afterwards.
    pub(crate) fn splice(&mut self, start: u32, size: u32, value: &[u8], limit: usize) -> Result<(), Status> {
        let bytes = self.as_slice();
        let start = position(start).min(bytes.len());
        let end = start.saturating_add(position(size)).min(bytes.len());
        let length = bytes.len() - (end - start) + value.len();
        if length > limit.max(bytes.len()) {
            return Err(Status::InternalFailure);
        }
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(bytes.get(..start).unwrap_or_default());
        whole.extend_from_slice(value);
        whole.extend_from_slice(bytes.get(end..).unwrap_or_default());
        *self = Self::Many(whole);
        Ok(())
    }
}

fn position(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Buffer;
    use crate::abi::Status;

    fn buffer(chunks: &[&'static str]) -> Buffer {
        let mut buffer = Buffer::default();
        chunks.iter().for_each(|chunk| buffer.push((*chunk).into()));
        buffer
    }

    #[test]
    fn a_value_goes_before_behind_within_and_in_place() {
        for (start, size, whole) in [
            (0, 0, "xyabcd"),
            (u32::MAX, 0, "abcdxy"),
            (4, 9, "abcdxy"),
            (0, u32::MAX, "xy"),
            (1, 2, "axyd"),
            (1, 0, "axybcd"),
        ] {
            let mut buffer = buffer(&["ab", "cd"]);
            buffer.splice(start, size, b"xy", 100).unwrap();
            assert_eq!(buffer.take(), whole, "{start} {size}");
        }
    }

    #[test]
    fn reading_is_bounded() {
        let buffer = buffer(&["abcd"]);
        assert_eq!(buffer.read(1, 2), Ok(&b"bc"[..]));
        assert_eq!(buffer.read(0, u32::MAX), Ok(&b"abcd"[..]));
        assert_eq!(buffer.read(4, 1), Ok(&b""[..]));
        assert_eq!(buffer.read(5, 1), Err(Status::BadArgument));
        assert_eq!(buffer.read(1, u32::MAX), Ok(&b"bcd"[..]));
    }

    #[test]
    fn it_does_not_grow_over_the_limit() {
        let mut buffer = buffer(&["abcd"]);
        assert_eq!(buffer.splice(0, 0, b"xyz", 6), Err(Status::InternalFailure));
        assert_eq!(buffer.splice(0, 1, b"xyz", 6), Ok(()));
    }

    proptest! {
        #[test]
        fn a_splice_is_that_of_a_vector(
            text in "[a-z]{0,20}", start in 0u32..30, size in 0u32..30, value in "[A-Z]{0,9}",
        ) {
            let mut buffer = Buffer::One(text.clone().into());
            buffer.splice(start, size, value.as_bytes(), 1_000).unwrap();
            let start = (start as usize).min(text.len());
            let end = (start + size as usize).min(text.len());
            let mut model = text.into_bytes();
            model.splice(start..end, value.bytes());
            prop_assert_eq!(buffer.take(), model);
        }
    }
}
