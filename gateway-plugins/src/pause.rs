//! How long a guest holds a body.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Sleep, sleep},
};

use crate::event::Event;

/// What happens to a body that is held, as long as something does.
pub(crate) struct Pause {
    events: UnboundedReceiver<Event>,
    longest: Pin<Box<Sleep>>,
}

/// Nothing has happened for as long as a body may be held.
pub(crate) struct TooLong;

impl Pause {
    pub(crate) fn new(events: UnboundedReceiver<Event>, longest: Duration) -> Self {
        Self { events, longest: Box::pin(sleep(longest)) }
    }

    /// Something has happened, and the guest holds the body still.
    pub(crate) fn prolong(&mut self, longest: Duration) {
        self.longest.set(sleep(longest));
    }

    /// What happens next; none where the instance ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, TooLong>> {
        match self.events.poll_recv(cx) {
            Poll::Ready(event) => Poll::Ready(Ok(event)),
            Poll::Pending => self.longest.as_mut().poll(cx).map(|()| Err(TooLong)),
        }
    }
}
