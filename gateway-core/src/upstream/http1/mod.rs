//! HTTP/1.1 as an upstream's client speaks it (RFC 9112), polled by the request that uses the connection: no
//! task, no channel and no wake-up stand between the two.
//!
//! A [`Wire`] is the connection. A request goes up through [`Outgoing`], the head of its answer comes down as a
//! [`Head`], the bytes after it through a [`Decoder`]. What a message says of its own end is read in one place,
//! [`Framing`]; where that is in doubt, the connection serves nobody else.

mod chunked;
mod decoder;
mod fields;
mod framing;
mod outgoing;
mod request;
mod response;
mod stream;
mod wire;

pub(crate) use decoder::Decoder;
pub(crate) use framing::Framing;
pub(crate) use outgoing::{Broken, Outgoing};
pub(crate) use request::Rewrite;
pub(crate) use response::Head;
pub(crate) use stream::Stream;
pub(crate) use wire::Wire;

/// Bytes of a response's head, and of one section of trailers; more is a bad response.
const MOST_BYTES: usize = 64 * 1024;

/// Fields of a response's head, and of its trailers; more is a bad response.
const MOST_FIELDS: usize = 200;

/// What a peer sends that is not HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the head is not HTTP/1")]
    Head,
    #[error("the head is too large")]
    TooLarge,
    #[error("too many interim responses")]
    TooManyInterim,
    #[error("the framing is in doubt")]
    Framing,
    #[error("a chunk is malformed")]
    Chunk,
    #[error("the trailers are malformed")]
    Trailers,
    #[error("the message ended before its body did")]
    Truncated,
}
