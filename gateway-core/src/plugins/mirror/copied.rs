//! A copy of a request's body, made as that goes to the service.

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::sender::Parcel;
use crate::{body::Watch, error::BoxError};

/// The copy is sent once the last byte has passed. A body that breaks off, or is longer than the copy may be, leaves none.
pub(super) struct Copied {
    copy: Option<Copy>,
    longest: usize,
}

struct Copy {
    bytes: BytesMut,
    parcel: Parcel,
}

impl Copied {
    pub(super) fn new(parcel: Parcel, longest: usize) -> Self {
        Self { copy: Some(Copy { bytes: BytesMut::new(), parcel }), longest }
    }
}

impl Watch for Copied {
    fn pass(&mut self, frame: &mut Frame<Bytes>) {
        let Some((copy, data)) = self.copy.as_mut().zip(frame.data_ref()) else { return };
        if copy.bytes.len() + data.len() <= self.longest {
            copy.bytes.extend_from_slice(data);
        } else if let Some(copy) = self.copy.take() {
            copy.parcel.abandon();
        }
    }

    fn end(&mut self, end: Result<(), &BoxError>) {
        if let (Some(Copy { bytes, parcel }), Ok(())) = (self.copy.take(), end) {
            parcel.send(bytes.freeze());
        }
    }
}
