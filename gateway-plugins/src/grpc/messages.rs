//! Messages in a body: each behind a flag and its length.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::status::{Ended, RESOURCE_EXHAUSTED, UNIMPLEMENTED};

/// Bytes before a message.
const PREFIX: usize = 5;

/// A message with what stands before it. What is longer than a length can say is cut off by the bounds before.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// A body under way, of messages up to a size.
pub(super) struct Messages {
    bytes: BytesMut,
    most: usize,
}

impl Messages {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: BytesMut::new(), most }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a message has begun.
    pub(super) fn is_within(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The next message, if all of it has come.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Ended> {
        let Some((prefix, _)) = self.bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [flag, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if flag != 0 {
            return Err((UNIMPLEMENTED, "a compressed message, which nobody asked for".into()));
        }
        if length > self.most {
            return Err((RESOURCE_EXHAUSTED, format!("a message of {length} bytes, over {}", self.most)));
        }
        if self.bytes.len() < PREFIX + length {
            return Ok(None);
        }
        self.bytes.advance(PREFIX);
        Ok(Some(self.bytes.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Messages, framed};

    proptest! {
        #[test]
        fn it_does_not_matter_how_messages_arrive(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6),
            piece in 1usize..40,
        ) {
            let bytes: Vec<u8> = sent.iter().flat_map(|message| framed(message)).collect();
            let (mut messages, mut read) = (Messages::new(30), Vec::new());
            for piece in bytes.chunks(piece) {
                messages.push(piece);
                while let Some(message) = messages.next().unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert_eq!(read, sent);
            prop_assert!(!messages.is_within());
        }
    }

    #[test]
    fn what_is_too_long_or_compressed_is_refused_before_it_has_come() {
        for (bytes, code) in [([0, 0, 0, 0, 31], 8), ([0, 255, 255, 255, 255], 8), ([1, 0, 0, 0, 1], 12)] {
            let mut messages = Messages::new(30);
            messages.push(&bytes);
            assert_eq!(messages.next().unwrap_err().0, code);
        }
    }
}
