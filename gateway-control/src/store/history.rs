//! How far the log of a store reaches back.

/// How far the log of a store reaches back: to the older of the two bounds nothing is kept. The newest change is
/// always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// Changes. Default 1000.
    pub revisions: u64,
    /// Bytes of all changes together, as they are written. Default 256 MiB.
    pub bytes: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { revisions: 1_000, bytes: 256 << 20 }
    }
}

impl History {
    /// Whether a log of so many changes and bytes is too long.
    pub(super) const fn is_over(self, revisions: u64, bytes: u64) -> bool {
        revisions > 1 && (revisions > self.revisions || bytes > self.bytes)
    }
}
