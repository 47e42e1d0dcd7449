//! Time, and ticks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::Linker;

use crate::{
    abi::Status,
    caller::{Called, Caller, view},
    home::{self, Home},
    host::Host,
    memory::put_u64,
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_get_current_time_nanoseconds" => now, (time_at: u32);
        "proxy_set_tick_period_milliseconds" => set_tick_period, (period: u32);
    });
    Ok(())
}

fn now(caller: &mut Caller<'_>, time_at: u32) -> Called {
    let (memory, _) = view(caller)?;
    Ok(put_u64(memory, time_at, nanoseconds())?)
}

/// Since 1970.
pub(super) fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The shortest period: a tick is a task's turn on a worker that has requests to serve.
const SHORTEST: Duration = Duration::from_millis(10);

/// The root's ticks begin anew; 0 ends them.
fn set_tick_period(caller: &mut Caller<'_>, period: u32) -> Called {
    let host = caller.data_mut();
    let id = host.root_of(host.effective).ok_or(Status::BadArgument)?;
    let home = host.home.clone();
    let root = host.roots.get_mut(&id).ok_or(Status::BadArgument)?;
    if let Some(ticks) = root.ticks.take() {
        ticks.abort();
    }
    let period = Duration::from_millis(period.into());
    if let (Home::Worker(worker, life), false) = (home, period.is_zero())
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        let ticking = home::tick(worker, life, id, period.max(SHORTEST));
        root.ticks = Some(runtime.spawn(ticking).abort_handle());
    }
    Ok(())
}
