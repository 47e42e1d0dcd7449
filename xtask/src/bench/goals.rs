//! What the project wants of its own figures.

/// One wanted figure of the subject.
pub(crate) enum Goal {
    /// The key column is at most `most` times that of `peer`, or at most `or_within` above it.
    Ratio { peer: &'static str, most: f64, or_within: Option<f64> },
    /// The median of a column is at most this.
    Most { column: usize, most: f64 },
}
