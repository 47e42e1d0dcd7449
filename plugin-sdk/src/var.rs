//! What plugins of one request tell each other.

use plugin_contract::var::{Get, Set};

use crate::{Error, call};

/// The value that a plugin of this request has set.
///
/// # Errors
/// Hosts without them.
pub fn get(name: &str) -> Result<Option<Vec<u8>>, Error> {
    call::now(&Get { name }, |value| value.map(<[u8]>::to_vec))
}

/// Sets a value for this request: 64 of them at most, 16 KiB each. Says whether there was room.
///
/// # Errors
/// Hosts without them.
pub fn set(name: &str, value: &[u8]) -> Result<bool, Error> {
    call::now(&Set { name, value }, |kept| kept)
}
