//! The order of any rules.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use super::priority::Priority;

/// A rule's rank: the greater one takes the request. All rules of a router are ranked by the same flavour, but for
/// those that it puts above all others: they stand further down here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By the fields of a route (compat P43).
    Compatible(Priority),
}

/// The first comparison in which one route lost to another, [`Display`](fmt::Display)ed as a sentence:
/// `shorter prefix: 1 against 6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// What was compared: a word for tools.
    pub by: &'static str,
    /// How it came out.
    pub says: Cow<'static, str>,
}

impl Rank {
    /// The first comparison that puts this one below `winner`.
    pub(super) fn lost(&self, winner: &Self) -> Comparison {
        match (self, winner) {
            (Self::Compatible(own), Self::Compatible(other)) => own.lost(other),
        }
    }

    /// Whether nothing but the ids decides between the two (compat D22).
    pub(super) fn ties(&self, other: &Self) -> bool {
        self.lost(other).is_tie()
    }
}

impl Comparison {
    /// The word of a comparison that only the ids decide.
    const ID: &str = "id";

    pub(super) fn new(by: &'static str, says: impl Into<Cow<'static, str>>) -> Self {
        Self { by, says: says.into() }
    }

    /// Nothing differs but the ids (compat D22).
    pub(super) fn tie() -> Self {
        Self::new(Self::ID, "equal until the id: the larger wins")
    }

    fn is_tie(&self) -> bool {
        self.by == Self::ID
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}
