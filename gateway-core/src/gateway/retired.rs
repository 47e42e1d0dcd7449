//! Snapshots that are served no more.

use std::{sync::Arc, thread};

use crate::snapshot::Snapshot;

/// Snapshots that are served no more, until the last request is out of them. Whoever changes the configuration
/// frees them: to free one of many thousand routes takes milliseconds, in which a request would be late.
#[derive(Default)]
pub(super) struct Retired(Vec<Arc<Snapshot>>);

impl Retired {
    pub(super) fn push(&mut self, snapshot: Arc<Snapshot>) {
        self.0.push(snapshot);
    }

    /// Frees those that no one else has. A request has one only while it looks for its route, so that a moment's
    /// patience is enough; one that somebody keeps waits for the next change.
    pub(super) fn free(&mut self) {
        const PATIENCE: usize = 100;
        for _ in 0..PATIENCE {
            // Nobody can take it again: it is served no more.
            self.0.retain(|snapshot| Arc::strong_count(snapshot) > 1);
            if self.0.is_empty() {
                return;
            }
            thread::yield_now();
        }
    }
}
