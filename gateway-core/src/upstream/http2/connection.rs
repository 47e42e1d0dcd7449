//! One connection, and the seats on it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use h2::{
    SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::Request;
use tokio::{sync::Notify, task::AbortHandle};
use tokio_util::io::InspectReader;

use super::{
    super::{http1::Stream, pool::Key},
    CONNECTION_WINDOW, MOST_EMPTY, MOST_HEAD, MOST_STREAMS, SEND_BUFFER, STREAM_WINDOW,
    driver::drive,
    empties::Empties,
    state::State,
};
use crate::clock;

/// An open connection. It closes when the last one who holds it goes: its pool, or a stream.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    transport: u64,
    sni: Box<str>,
    state: Arc<State>,
    driver: AbortHandle,
    /// Told when a stream ends.
    room: Arc<Notify>,
    most_requests: u32,
}

impl Connection {
    /// Speaks HTTP/2 over `stream`, which nobody has asked whether it does (RFC 9113 section 3.3), or ALPN has.
    ///
    /// # Errors
    /// If the preface cannot be written.
    pub(super) async fn open(
        stream: Stream,
        key: Key<'_>,
        room: Arc<Notify>,
        (most_requests, idle_timeout): (u32, Duration),
    ) -> Result<Self, h2::Error> {
        let state = Arc::new(State::new());
        let stream = InspectReader::new(stream, hearing(&state));
        let opened = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(MOST_STREAMS)
            .max_header_list_size(MOST_HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .handshake(stream);
        let (sender, connection) = opened.await?;
        let driver = tokio::spawn(drive(connection, Arc::clone(&state), Arc::clone(&room), idle_timeout));
        let (transport, sni) = (key.transport.id(), key.sni.into());
        Ok(Self { sender, transport, sni, state, driver: driver.abort_handle(), room, most_requests })
    }

    pub(super) fn fits(&self, key: Key<'_>) -> bool {
        self.transport == key.transport.id() && *self.sni == *key.sni
    }

    /// Whether it takes no more requests: told to go away, broken, or used up.
    pub(super) fn is_retired(&self) -> bool {
        self.state.is_retired() || self.driver.is_finished()
    }

    /// Whether its server has said how many streams it takes. Up to then it gets one.
    pub(super) fn is_settled(&self) -> bool {
        self.state.is_settled()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.streams() == 0
    }

    /// A seat, if one is free.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let most =
            if self.is_settled() { self.sender.current_max_send_streams().min(MOST_STREAMS) } else { 1 };
        let before = self.state.enter(most)?;
        let seat = Seat { connection: Arc::clone(self), reused: before > 0, since: clock::now() };
        // Its driver may have closed it just now, as one that nobody uses.
        if self.is_retired() {
            return None;
        }
        if before + 1 >= self.most_requests {
            self.state.retire();
        }
        Some(seat)
    }
}

/// Notes that something comes, and retires a connection before `h2` ends it: what is under way may bring as much again.
fn hearing(state: &Arc<State>) -> impl FnMut(&[u8]) + use<> {
    let (state, mut empties) = (Arc::clone(state), Empties::default());
    move |bytes| {
        state.heard.note();
        let empty = empties.read(bytes);
        if empty > 0 && empty + state.streams() >= MOST_EMPTY {
            state.retire();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A place on a connection for one stream, which has to be gone when this goes.
pub(crate) struct Seat {
    connection: Arc<Connection>,
    reused: bool,
    since: u64,
}

impl Seat {
    /// Whether the connection has served another request before.
    pub(super) const fn is_reused(&self) -> bool {
        self.reused
    }

    /// Begins a request on it.
    ///
    /// # Errors
    /// If the connection takes no more, or the head cannot be written in HTTP/2. Nothing has been sent then.
    pub(super) fn send(
        &self,
        head: Request<()>,
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // A clone of its own, as each notes what it waits for.
        self.connection.sender.clone().send_request(head, ends)
    }

    /// Nobody else asks on this connection.
    pub(super) fn retire(&self) {
        self.connection.state.retire();
    }

    /// The request took too long. Where nothing at all has come meanwhile, the connection is as good as gone.
    pub(super) fn timed_out(&self) {
        if !self.connection.state.heard.any_since(self.since) {
            self.retire();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connection.state.leave();
        self.connection.room.notify_waiters();
    }
}
