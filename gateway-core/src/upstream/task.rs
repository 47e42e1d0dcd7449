//! A task that ends with its owner.

use tokio::task::AbortHandle;

/// It is ended when this goes.
pub(super) struct Task(pub(super) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
