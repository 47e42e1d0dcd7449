//! HTTP/2 as an upstream's client speaks it (RFC 9113), for services of gRPC: many requests on one connection.
//!
//! A [`Connection`] is driven by one task, which ends with it. A request takes a [`Seat`] on one from the [`Pool`] of
//! its endpoint, and then drives its own stream: it [sends](Sending) its body while it waits for the head of the
//! answer, which comes down as an [`Answer`]. A task sends the rest only where the answer comes before that. Whoever
//! gives up a request drops its stream, which resets it; the others on the connection do not see that.
//!
//! The crate `h2` is used as it is, not through hyper's client: there a request that is given up can leave behind a
//! task that waits for a window, and each one costs a task and two channels.

mod answer;
mod asking;
mod connection;
mod driver;
mod empties;
mod pool;
mod request;
mod sending;
mod state;

pub(super) use answer::Answer;
pub(super) use asking::ask;
pub(super) use pool::Pool;

/// Most streams at a time on one connection; the endpoint's own bound holds too (RFC 9113 section 5.1.2).
const MOST_STREAMS: usize = 128;
/// Most connections to one endpoint and worker. What comes beyond waits for a seat.
const MOST_CONNECTIONS: usize = 64;
/// Empty frames on one connection, those that calls under way may still bring included; the next call gets another one.
const MOST_EMPTY: usize = 90;
/// Bytes of an answer that may wait for a slow client.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Room for that on all streams of a connection: slow clients never hold up the others.
#[expect(clippy::cast_possible_truncation, reason = "128 streams")]
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MOST_STREAMS as u32;
/// Bytes of a body on its way up that may wait in a stream for the connection.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of a head or of trailers, and their fields; more is a bad response. As over HTTP/1.1.
const MOST_HEAD: u32 = 64 * 1024;
/// The fields of a head; as over HTTP/1.1.
const MOST_FIELDS: usize = 200;
