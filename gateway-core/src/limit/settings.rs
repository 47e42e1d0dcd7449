//! How many at a time, and how many may wait.

use std::time::Duration;

/// How many at a time, and how many may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Whether the limit is `most`, or is found.
    pub mode: Mode,
    /// The most at a time. At least 1 counts. Default 1024.
    pub most: u32,
    /// The least that is found. Default 4.
    pub least: u32,
    /// So many may wait for their turn. Default 100.
    pub queue: usize,
    /// For so long. Default 1 s.
    pub patience: Duration,
}

/// Where the limit comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is set.
    #[default]
    Fixed,
    /// It is found by a [`Gradient`](super::Gradient).
    Adaptive,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mode: Mode::Fixed, most: 1_024, least: 4, queue: 100, patience: Duration::from_secs(1) }
    }
}
