//! The requests under way to all endpoints of a group.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The requests under way to all endpoints of a group. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Crowd(Arc<AtomicUsize>);

impl Crowd {
    /// One request more.
    pub(super) fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// One request less.
    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Whether it is the same count.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.load(Relaxed)
    }
}
