//! Part of a body.

use crate::host::{self, Buffer};

/// What has come of a body and was not let go yet: one piece, or all since the plugin began to hold them.
#[derive(Debug)]
pub struct Chunk {
    buffer: Buffer,
    length: usize,
    end: bool,
}

impl Chunk {
    pub(crate) const fn new(buffer: Buffer, length: usize, end: bool) -> Self {
        Self { buffer, length, end }
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.end
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        host::bytes(self.buffer, 0, self.length)
    }

    /// Sends these bytes in their place.
    pub fn replace(&mut self, bytes: &[u8]) {
        host::set_bytes(self.buffer, 0, self.length, bytes);
        self.length = bytes.len();
    }
}
