//! A store that is followed: what others write there is served here.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{Control, Refusal, store::Revision, task::Task};

/// How long it waits after a change that could not be made, or read, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Follows the store of a [`Control`] on a thread of its own, until dropped: what other instances write is served here,
/// too, as soon as the store tells of it.
#[derive(Debug)]
pub struct Follow {
    _task: Task,
}

impl Follow {
    /// Follows the store of `control`; `report` hears of every step, and of what could not be made. Then what was
    /// served before goes on, and it is tried again.
    ///
    /// # Errors
    /// When there is no store, or the thread cannot be made.
    pub fn start(
        control: Arc<Control>,
        report: impl Fn(Result<Revision, Refusal>) + Send + 'static,
    ) -> io::Result<Self> {
        let newest = control.store().map(|store| store.newest());
        let newest = newest.ok_or_else(|| io::Error::other(Refusal::ReadOnly))?;
        let task = Task::spawn("follow", move || async move { follow(&control, newest, &report).await })?;
        Ok(Self { _task: task })
    }
}

/// Until the store is gone. To make a change blocks this thread, which does nothing else.
async fn follow(
    control: &Control,
    mut newest: watch::Receiver<Revision>,
    report: &impl Fn(Result<Revision, Refusal>),
) {
    let mut patience = PATIENCE.0;
    loop {
        // What this node has written itself is served already.
        if control.revision() >= Some(*newest.borrow_and_update()) {
            if newest.changed().await.is_err() {
                return;
            }
            continue;
        }
        let caught_up = control.catch_up();
        let failed = caught_up.is_err();
        caught_up.transpose().into_iter().for_each(report);
        if failed {
            sleep(patience).await;
            patience = (patience * 2).min(PATIENCE.1);
        } else {
            patience = PATIENCE.0;
            tokio::task::yield_now().await;
        }
    }
}
