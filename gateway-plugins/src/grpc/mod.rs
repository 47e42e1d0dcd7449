//! Calls of gRPC that guests make: one message each way, or a stream of them. They go where HTTP callouts go, to services
//! that are spoken to by HTTP/2 and to origins.

mod calls;
mod messages;
mod running;
mod sending;
mod status;
mod target;

pub(crate) use calls::{Call, Calls};
pub(crate) use messages::framed;
pub(crate) use running::{Shape, Teller, run};
pub(crate) use sending::{Sending, open};
pub(crate) use target::upstream;
