//! Calls of gRPC that guests make: one message each way, or a stream of them. They go where HTTP callouts go, to services
//! that are spoken to by HTTP/2 and to origins.

mod calls;
mod messages;
mod running;
mod sending;
mod status;
mod target;

use bytes::Bytes;
use http::HeaderMap;

pub(crate) use calls::{Call, Calls};
pub(crate) use messages::framed;
pub(crate) use running::{Shape, Teller, run};
pub(crate) use sending::{Sending, open};
pub(crate) use target::upstream;

use crate::buffer::Buffer;

/// What a call has brought, as the guest is told.
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
    fn message(bytes: Bytes) -> Self {
        Self::Message(Buffer::One(bytes))
    }
}
