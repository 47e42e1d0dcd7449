//! How long callbacks may take.

use std::time::Duration;

use wasmtime::Store;

use crate::{Isolation, deadline::Budget, host::Host, runtime::Runtime};

/// For a callback.
pub(crate) fn budget(store: &Store<Host>) -> Budget {
    let limits = &store.data().runtime.limits;
    Budget { cpu: limits.entry_cpu, wall: limits.entry_wall }
}

/// For a callback that sees so many bytes of a body: reading them takes its time.
pub(crate) fn body_budget(store: &Store<Host>, bytes: usize) -> Budget {
    let more = Duration::from_nanos(bytes as u64 * BYTE);
    let Budget { cpu, wall } = budget(store);
    Budget { cpu: cpu + more, wall: wall + 2 * more }
}

/// Nanoseconds for each byte of a body. Half of it goes into reading a mebibyte of numbers as JSON and writing them again, where the
/// memory for it is touched for the first time.
const BYTE: u64 = 200;

/// For a start and for taking a configuration. Where both happen in each request they have the time of a callback, also
/// when a configuration is tried out.
pub(crate) fn start_budget(runtime: &Runtime) -> Budget {
    let limits = &runtime.limits;
    match runtime.isolation {
        Isolation::Shared | Isolation::Route => {
            Budget { cpu: limits.configure_cpu, wall: limits.configure_wall }
        }
        Isolation::Request => Budget { cpu: limits.entry_cpu, wall: limits.entry_wall },
    }
}
