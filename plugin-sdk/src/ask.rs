//! What the gateway is asked, and answers at once.

use std::{cell::RefCell, fmt};

use plugin_contract::{Call, LATER, NOW};

use crate::host::{self, Status};

/// Why a call of the gateway came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host has no such function, as hosts other than the gateway.
    Unknown,
    /// The host does not allow it, or an argument makes no sense to it.
    Refused,
    /// It did not work out, or took too long.
    Failed,
    /// The answer takes time, and the phase is one that cannot wait.
    Late,
    /// What it asks cannot be reached now.
    Unavailable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the host has no such function",
            Self::Refused => "the host refuses the call",
            Self::Failed => "the call failed",
            Self::Late => "the answer takes time, and this phase cannot wait",
            Self::Unavailable => "what it asks cannot be reached",
        })
    }
}

impl std::error::Error for Error {}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        match status {
            Status::NOT_FOUND => Self::Unknown,
            Status::BAD_ARGUMENT => Self::Refused,
            Status(_) => Self::Failed,
        }
    }
}

thread_local! {
    /// Room for arguments: calls do not nest.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls a function that answers at once; `read` looks at the answer.
///
/// # Errors
/// Where there is no answer now.
pub fn now<C: Call, R>(call: &C, read: impl FnOnce(C::Answer<'_>) -> R) -> Result<R, Error> {
    begin(call, |begun| match begun {
        Begun::Answer(bytes) => plugin_contract::decode(bytes).map(read).ok_or(Error::Failed),
        Begun::Token(_) => Err(Error::Late),
    })
}

/// What there is at once of an answer.
pub(crate) enum Begun<'a> {
    Answer(&'a [u8]),
    Token(u32),
}

/// Calls a function; `read` looks at what there is at once.
pub(crate) fn begin<C: Call, R>(
    call: &C,
    read: impl FnOnce(Begun<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut room = ROOM.take();
    room.clear();
    let arguments = plugin_contract::encode(call, room).map_err(|_| Error::Refused)?;
    let result = host::foreign(C::NAME, &arguments, |results| match results.split_first() {
        Some((&NOW, answer)) => read(Begun::Answer(answer)),
        Some((&LATER, token)) => {
            let token = token.first_chunk().ok_or(Error::Failed)?;
            read(Begun::Token(u32::from_le_bytes(*token)))
        }
        _ => Err(Error::Failed),
    });
    ROOM.set(arguments);
    result?
}
