//! Bodies that can be sent again.

use bytes::{Buf, Bytes};
use http_body::Body as _;
use http_body_util::{Empty, Full};

use crate::Body;

/// A body that may be sent more than once.
pub trait Replay: Sized {
    /// The same body once more; none where it is a stream, which is gone once it has been read.
    fn replay(&self) -> Option<Self>;
}

impl Replay for Body {
    fn replay(&self) -> Option<Self> {
        match self.as_bytes() {
            Some(bytes) => Some(bytes.clone().into()),
            None => self.is_end_stream().then(Self::empty),
        }
    }
}

impl Replay for () {
    fn replay(&self) -> Option<Self> {
        Some(())
    }
}

impl Replay for Bytes {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Replay for String {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<D: Buf> Replay for Empty<D> {
    fn replay(&self) -> Option<Self> {
        Some(Self::new())
    }
}

impl<D: Buf + Clone> Replay for Full<D> {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}
