//! What comes to a context while it waits.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::sync::oneshot;

use crate::buffer::Buffer;

/// What happened to a stream that waits.
pub(crate) enum Event {
    /// A callout was answered, or failed.
    Called(u32, Option<Box<Answered>>),
    /// A foreign function gave its late result.
    Foreign(u32, Bytes),
    /// A call of gRPC brought something. The sender goes once the guest has heard.
    Grpc(u32, Received, oneshot::Sender<Infallible>),
    /// Another context resumed or answered it.
    Decided,
}

/// What a callout brought.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Buffer,
    pub(crate) trailers: HeaderMap,
}

/// What a call of gRPC has brought, as the guest is told.
#[derive(Debug)]
pub(crate) enum Received {
    /// The metadata before the first message.
    Initial(HeaderMap),
    Message(Buffer),
    /// The metadata after the last message.
    Trailing(HeaderMap),
    /// The end, with a status of gRPC and its words.
    Closed(u32, String),
}

impl Received {
    pub(crate) fn message(bytes: Bytes) -> Self {
        Self::Message(Buffer::One(bytes))
    }
}
