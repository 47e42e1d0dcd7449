//! Functions of the gateway that a test scripts.

use std::time::Duration;

use plugin_contract::{Call, decode, encode};
use serde::{Deserialize, Serialize};

use crate::host::Status;

/// A function that a test scripts.
pub(super) struct Scripted {
    /// How long its answers take; none: they are there at once.
    pub(super) delay: Option<Duration>,
    pub(super) answer: Answering,
}

impl Scripted {
    pub(super) fn new<C, F>(delay: Option<Duration>, mut answer: F) -> Self
    where
        C: Call + Deserialize<'static>,
        F: FnMut(C) -> C::Answer<'static> + 'static,
    {
        let answer = move |arguments: &[u8]| {
            // What the arguments point to lives as long as the test: so a closure can take them.
            let arguments = decode(arguments.to_vec().leak()).ok_or(Status::BAD_ARGUMENT)?;
            encoded(&answer(arguments))
        };
        Self { delay, answer: Box::new(answer) }
    }
}

/// Bytes in, bytes out.
type Answering = Box<dyn FnMut(&[u8]) -> Result>;

/// An answer's bytes.
pub(super) type Result = std::result::Result<Vec<u8>, Status>;

/// Something is not there, and this is not what is wrong with the call.
pub(super) const FAILED: Status = Status(10);

/// An answer as it is sent.
pub(super) fn encoded(answer: &impl Serialize) -> Result {
    encode(answer, Vec::new()).map_err(|_| FAILED)
}
