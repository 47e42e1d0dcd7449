//! What a store knows to be missing.

use std::fmt;

/// What a store knows to be missing from what it reads, because a copy that stands in for it is damaged.
///
/// ```
/// use gateway_control::store::Incomplete;
///
/// let incomplete = Incomplete::new(3, false);
/// assert_eq!(incomplete.to_string(), "the store was damaged, and its copy, too (lost lines: 3)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incomplete {
    /// Lines of the copy that cannot be used. Most are one change, some a thousand entities.
    pub lost: usize,
    /// Whether who has all of it is only away: then it comes back. If not, it is lost for good.
    pub comes_back: bool,
}

impl Incomplete {
    /// So many lines of a copy are lost.
    #[must_use]
    pub const fn new(lost: usize, comes_back: bool) -> Self {
        Self { lost, comes_back }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = self.lost;
        match self.comes_back {
            true => write!(f, "the database is away, and its copy is damaged (lost lines: {lost})"),
            false => write!(f, "the store was damaged, and its copy, too (lost lines: {lost})"),
        }
    }
}
