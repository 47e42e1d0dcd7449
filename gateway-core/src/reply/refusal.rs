//! A failure that says how it is to be answered.

use std::{borrow::Cow, error::Error as StdError, fmt};

use http::StatusCode;

use crate::Reason;

/// An error with which a request body may fail: whoever reads the body answers with this status and
/// message, as long as nothing has gone to the client.
///
/// A forwarder finds it under the error of its HTTP client with [`Refusal::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for logs and metrics.
    pub reason: Reason,
    /// The status of the answer.
    pub status: StatusCode,
    /// The text of its body.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// The refusal that `error` is, or that caused it.
    #[must_use]
    pub fn find<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref() {
                return Some(refusal);
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status.as_u16(), self.message)
    }
}

impl StdError for Refusal {}
