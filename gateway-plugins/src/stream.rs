//! Requests within an instance, from the host's side.

use bytes::Bytes;
use gateway_core::Body;
use http::{HeaderMap, Method, Response, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{abi::Side, event::Event, notes::Notes};

/// A request within an instance.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    /// What the guest let go since it was asked last, by side.
    resumed: [bool; 2],
    /// The answer it gave.
    pub(crate) reply: Option<Box<Response<Body>>>,
    /// It gave the exchange up.
    pub(crate) closed: bool,
    /// Who waits while a message is held, by side.
    waiters: [Option<UnboundedSender<Event>>; 2],
    /// The heads, for callbacks that come when the messages are gone.
    pub(crate) request: Option<Box<RequestHead>>,
    pub(crate) response: Option<Box<ResponseHead>>,
    /// The guest changed the request's head.
    pub(crate) changed: bool,
    /// Callouts and late results that it asked for.
    pub(crate) calls: u32,
    /// `proxy_on_done` asked for more time.
    pub(crate) ending: bool,
    /// A guest with a mailbox wants to be told of its end.
    pub(crate) keeps: bool,
    /// A guest with a mailbox does not look at the body of the message in hand.
    pub(crate) skips: bool,
    /// What guests noted for each other.
    pub(crate) notes: Option<Notes>,
}

/// The head of a request that has gone by.
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) path: Option<Bytes>,
    pub(crate) headers: HeaderMap,
}

/// The head of an answer that has gone by.
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Stream {
    pub(crate) fn new(root: u32, notes: Option<Notes>) -> Self {
        Self { root, notes, ..Self::default() }
    }

    /// Lets a side go on.
    pub(crate) fn resume(&mut self, side: Side) {
        self.resumed[side as usize] = true;
        self.decided(side);
    }

    /// Whether the side was let go since this was asked last.
    pub(crate) fn take_resumed(&mut self, side: Side) -> bool {
        std::mem::take(&mut self.resumed[side as usize])
    }

    /// The guest answers by itself.
    pub(crate) fn answer(&mut self, response: Box<Response<Body>>) {
        self.reply = Some(response);
        self.decided(Side::Request);
        self.decided(Side::Response);
    }

    /// The guest gives the exchange up.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.decided(Side::Request);
        self.decided(Side::Response);
    }

    /// From now on somebody waits for what happens to this side.
    pub(crate) fn wait(&mut self, side: Side) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded_channel();
        self.waiters[side as usize] = Some(sender);
        receiver
    }

    /// Nobody waits on this side any more.
    pub(crate) fn go_on(&mut self, side: Side) {
        self.waiters[side as usize] = None;
    }

    /// Gives an event to who waits, on the way down first; gives it back where nobody does.
    pub(crate) fn tell(&self, mut event: Event) -> Result<(), Event> {
        for waiter in self.waiters.iter().rev().flatten() {
            match waiter.send(event) {
                Ok(()) => return Ok(()),
                Err(unsent) => event = unsent.0,
            }
        }
        Err(event)
    }

    /// Wakes who waits, to look at what was decided.
    fn decided(&self, side: Side) {
        if let Some(waiter) = &self.waiters[side as usize] {
            // Who waited may have left; there is nothing to decide then.
            let _ = waiter.send(Event::Decided);
        }
    }
}
