//! The request-time error: a cause, its reason word, its status and its text.
//!
//! [`Reason`] is the closed list of words that the access log, the metrics and the
//! opt-in response header show, in the spirit of Envoy's response flags.

mod reason;

pub use reason::Reason;

use std::{error::Error as StdError, fmt};

/// A boxed cause.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A request that failed: the reason, and the cause where there is one.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    source: Option<BoxError>,
}

impl Error {
    /// A failure with its cause.
    pub fn new(reason: Reason, source: impl Into<BoxError>) -> Self {
        Self { reason, source: Some(source.into()) }
    }

    /// Why it failed.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self { reason, source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
