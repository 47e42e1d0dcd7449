//! How a host call ends.

/// What a Proxy-Wasm host call answers (`proxy_status_t`).
///
/// ```
/// assert_eq!(gateway_plugins::Status::CasMismatch.code(), 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(i32)]
#[non_exhaustive]
pub enum Status {
    /// There is no such thing.
    #[error("not found")]
    NotFound = 1,
    /// An argument is out of its range, or not to be used here.
    #[error("bad argument")]
    BadArgument = 2,
    /// The result cannot be written in the ABI's encoding.
    #[error("serialization failure")]
    SerializationFailure = 3,
    /// An argument is not in the ABI's encoding.
    #[error("parse failure")]
    ParseFailure = 4,
    /// A pointer or a length leads out of the guest's memory.
    #[error("invalid memory access")]
    InvalidMemoryAccess = 6,
    /// There is nothing in it.
    #[error("empty")]
    Empty = 7,
    /// Somebody else changed it in between.
    #[error("compare-and-swap mismatch")]
    CasMismatch = 8,
    /// The host could not do it, or a limit was reached.
    #[error("internal failure")]
    InternalFailure = 10,
}

impl Status {
    /// The number the guest sees. Success is 0, which is no `Status`.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }
}

/// What a host call comes to.
pub(crate) type Answer = Result<(), Status>;

/// The few error numbers of WASI that the host answers with (`wasi_errno_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Errno {
    Success = 0,
    BadDescriptor = 8,
    Fault = 21,
    Invalid = 28,
    NoSystem = 52,
    NotSupported = 58,
}
