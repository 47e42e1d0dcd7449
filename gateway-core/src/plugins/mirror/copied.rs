//! A request's body that leaves a copy of itself behind.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::sender::Parcel;
use crate::{Body, error::BoxError};

/// A body on its way to the service. Its copy is sent once the last byte has passed; it never holds the body up. A body
/// that breaks off, or is longer than the copy may be, leaves none.
pub(super) struct Copied {
    body: Body,
    copy: Option<Copy>,
    longest: usize,
}

struct Copy {
    bytes: BytesMut,
    parcel: Parcel,
}

impl Copied {
    pub(super) fn new(body: Body, parcel: Parcel, longest: usize) -> Self {
        Self { body, copy: Some(Copy { bytes: BytesMut::new(), parcel }), longest }
    }

    fn pass(&mut self, data: &Bytes) {
        let Some(copy) = &mut self.copy else { return };
        if copy.bytes.len() + data.len() <= self.longest {
            copy.bytes.extend_from_slice(data);
        } else if let Some(copy) = self.copy.take() {
            copy.parcel.abandon();
        }
    }

    fn end(&mut self) {
        if let Some(Copy { bytes, parcel }) = self.copy.take() {
            parcel.send(bytes.freeze());
        }
    }
}

impl HttpBody for Copied {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.pass(data);
                }
                if self.body.is_end_stream() {
                    self.end();
                }
            }
            Some(Err(_)) => self.copy = None,
            None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
