//! The messages that a guest sends into a stream, on their way.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{Body, BoxError};
use http_body::Frame;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The guest's end. The stream ends with it.
pub(crate) struct Sending {
    messages: UnboundedSender<Bytes>,
    /// Bytes that the upstream has not taken.
    waiting: Arc<AtomicUsize>,
}

/// A stream of messages, and the body that they become.
pub(crate) fn open() -> (Sending, Body) {
    let (messages, receiver) = unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let body = Outgoing { messages: receiver, waiting: Arc::clone(&waiting) };
    (Sending { messages, waiting }, Body::new(body))
}

impl Sending {
    /// Sends one more; false where more than `most` bytes would wait.
    pub(crate) fn send(&self, message: Bytes, most: usize) -> bool {
        let length = message.len();
        if self.waiting.load(Ordering::Acquire) + length > most {
            return false;
        }
        self.waiting.fetch_add(length, Ordering::AcqRel);
        // Where nobody takes it any more, the end is on its way to the guest.
        let _ = self.messages.send(message);
        true
    }
}

struct Outgoing {
    messages: UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let message = ready!(self.messages.poll_recv(cx));
        Poll::Ready(message.map(|message| {
            self.waiting.fetch_sub(message.len(), Ordering::AcqRel);
            Ok(Frame::data(message))
        }))
    }
}
