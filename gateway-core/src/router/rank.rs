//! The order of any rules.

use uuid::Uuid;

use super::priority::Priority;

/// A rule's rank: the greater one takes the request. All rules of a router are ranked by the same flavour, but for
/// those that it puts above all others: they stand further down here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By the fields of a route (compat P43).
    Compatible(Priority),
    /// By the priority of an expression, which stands above all routes by fields; then the larger id (compat D22).
    Expression { priority: u64, id: Uuid },
}
