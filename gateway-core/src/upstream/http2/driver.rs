//! The task of one connection: it moves bytes, and closes what nobody uses or nobody answers on.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::sleep,
};

use super::state::State;
use crate::clock;

/// A connection with streams that has been silent for so long is asked whether it is still there. Servers of gRPC take
/// more frequent pings for an attack, and end the connection.
const PING_AFTER: Duration = Duration::from_secs(5 * 60);
/// How long the answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The least time between two looks at it.
const LEAST_LOOK: Duration = Duration::from_millis(10);

/// Drives `connection` until it ends, is idle for `idle_timeout`, or does not answer.
pub(super) async fn drive<T: AsyncRead + AsyncWrite + Unpin>(
    mut connection: h2::client::Connection<T, Bytes>,
    state: Arc<State>,
    room: Arc<Notify>,
    idle_timeout: Duration,
) {
    let silence = Silence { opened: clock::now(), asked: None };
    let mut pings = Pings { pings: connection.ping_pong(), silence };
    let mut connection = pin!(connection);
    let mut driving = pin!(poll_fn(|cx| {
        let polled = connection.as_mut().poll(cx);
        // What a server says first are its settings (RFC 9113 section 3.4).
        if state.heard.is_anything() && state.settle() {
            room.notify_waiters();
        }
        polled
    }));
    let look = (idle_timeout / 2).clamp(LEAST_LOOK, PING_TIMEOUT / 2);
    loop {
        tokio::select! {
            biased;
            ended = &mut driving => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP/2 connection to an endpoint ended");
                }
                break;
            }
            () = sleep(look) => {}
        }
        let unused = state.is_idle_for(idle_timeout) || (state.is_retired() && state.streams() == 0);
        if unused {
            state.retire();
        }
        // Somebody may have taken a seat before it was retired.
        if (unused && state.streams() == 0) || pings.is_dead(&state) {
            break;
        }
    }
    state.retire();
    room.notify_waiters();
}

/// Asks a silent connection whether it is still there.
struct Pings {
    pings: Option<PingPong>,
    silence: Silence,
}

impl Pings {
    /// Whether it has been asked, and nothing has come since.
    fn is_dead(&mut self, state: &State) -> bool {
        let Some(pings) = &mut self.pings else { return false };
        match self.silence.look(clock::now(), state.heard.last(), state.streams() > 0) {
            Look::Fine => false,
            Look::Dead => true,
            Look::Ask => {
                // The last answer is taken first, or no other question is let out.
                let _ = pings.poll_pong(&mut Context::from_waker(Waker::noop()));
                if pings.send_ping(Ping::opaque()).is_err() {
                    self.silence.asked = None;
                }
                false
            }
        }
    }
}

/// How long a connection has been silent, in milliseconds of the coarse clock.
struct Silence {
    opened: u64,
    /// Since when it is asked, while there is no answer.
    asked: Option<u64>,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Fine,
    Ask,
    Dead,
}

impl Silence {
    fn look(&mut self, now: u64, heard: u64, in_use: bool) -> Look {
        let is_past = |since: u64, time: Duration| now.saturating_sub(since) >= clock::millis(time);
        match self.asked {
            Some(asked) if heard > asked => self.asked = None,
            Some(asked) => return if is_past(asked, PING_TIMEOUT) { Look::Dead } else { Look::Fine },
            None if in_use && is_past(heard.max(self.opened), PING_AFTER) => {
                self.asked = Some(now);
                return Look::Ask;
            }
            None => {}
        }
        Look::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Silence};

    #[test]
    fn a_silent_connection_with_streams_is_asked_and_given_up() {
        let minute = 60_000;
        let mut silence = Silence { opened: minute, asked: None };
        assert_eq!(silence.look(5 * minute, 0, true), Look::Fine);
        assert_eq!(silence.look(6 * minute, 0, false), Look::Fine, "nobody waits");
        assert_eq!(silence.look(6 * minute, 0, true), Look::Ask);
        assert_eq!(silence.look(6 * minute + 19_999, 0, true), Look::Fine);
        assert_eq!(silence.look(6 * minute + 20_000, 0, true), Look::Dead);
    }

    #[test]
    fn whoever_answers_is_left_alone_for_as_long_again() {
        let minute = 60_000;
        let mut silence = Silence { opened: minute, asked: None };
        assert_eq!(silence.look(6 * minute, 0, true), Look::Ask);
        let heard = 6 * minute + 5;
        assert_eq!(silence.look(7 * minute, heard, true), Look::Fine);
        assert_eq!(silence.look(11 * minute, heard, true), Look::Fine);
        assert_eq!(silence.look(12 * minute, heard, true), Look::Ask);
    }
}
