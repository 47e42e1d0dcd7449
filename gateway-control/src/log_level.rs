//! How much is logged, where that can be changed.

use tracing::Level;

/// How much is logged, where that can be changed while the node runs: the host gives it to
/// [`Control::log_level`](crate::Control::log_level).
pub trait LogLevel: Send + Sync + 'static {
    /// What is logged now: this, and what is more serious.
    fn level(&self) -> Level;

    /// Logs this from now on, and what is more serious.
    fn set_level(&self, level: Level);
}
