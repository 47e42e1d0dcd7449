//! Targets that give no sign of life any more, and credentials whose time is over, are taken out.

use std::{future::pending, io, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{Control, Refusal, task::Task};

/// Between two attempts where the store cannot be asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes targets with a `ttl` out of the store of a [`Control`], on a thread of its own, until dropped: those of which
/// nobody who uses the store has heard for that time.
///
/// Credentials with a `ttl` go, too, once their time is over. Nobody sees them from then on, also where nobody takes them
/// out.
///
/// All instances do. Who has heard the last sign gives up first, others wait twice as long. A start counts as a sign, and so
/// does every time at which the store could not be asked: nothing goes while it is away.
#[derive(Debug)]
pub struct Expire {
    _task: Task,
}

impl Expire {
    /// Begins with those in the store of `control`; `report` hears how many were taken out, and, when that begins,
    /// why none can be.
    ///
    /// # Errors
    /// When there is no store, or the thread cannot be made.
    pub fn start(
        control: Arc<Control>,
        report: impl Fn(Result<usize, Refusal>) + Send + 'static,
    ) -> io::Result<Self> {
        if control.store().is_none() {
            return Err(io::Error::other(Refusal::ReadOnly));
        }
        let task = Task::spawn("expire", move || async move { expire(&control, &report).await })?;
        Ok(Self { _task: task })
    }
}

/// For ever. To make a change blocks this thread, which does nothing else.
async fn expire(control: &Control, report: &impl Fn(Result<usize, Refusal>)) {
    let mut fails = false;
    loop {
        let next = control.leases().next();
        tokio::select! {
            () = until(next) => {
                let expired = control.expire();
                let failed = expired.is_err();
                match expired {
                    Ok(0) => {}
                    // Once, not every second.
                    Err(_) if fails => {}
                    told => report(told),
                }
                fails = failed;
                if failed {
                    sleep(PATIENCE).await;
                }
            }
            () = control.leases().moved() => {}
        }
        // A stop is heard, however much there is to do.
        tokio::task::yield_now().await;
    }
}

async fn until(next: Option<std::time::Instant>) {
    match next {
        Some(next) => sleep_until(Instant::from_std(next)).await,
        None => pending().await,
    }
}
