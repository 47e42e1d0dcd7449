//! Time: WebAssembly has no clock of its own.

use std::time::Duration;

use plugin_contract::time::Sleep;

use crate::{Error, call, host};

/// How long ago 1970 began (UTC).
#[must_use]
pub fn now() -> Duration {
    Duration::from_nanos(host::now())
}

/// Holds the request for a while, at most a minute.
///
/// # Errors
/// Hosts that cannot.
pub async fn sleep(duration: Duration) -> Result<(), Error> {
    let milliseconds = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    call::later(&Sleep { milliseconds }, |()| ()).await
}

/// Calls `on_tick` of this configuration every so often from now on, at least every 10 milliseconds. To be called in
/// `configure`.
pub fn tick_every(period: Duration) {
    host::tick_every(u32::try_from(period.as_millis()).unwrap_or(u32::MAX));
}
