//! The order of any rules.

use uuid::Uuid;

use super::{gateway_api::GatewayApiRank, priority::Priority, traditional::TraditionalRank};

/// A rule's rank: the greater one takes the request. All rules of a router are ranked by the same flavour, but for
/// those that it puts above all others: they stand further down here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By the fields of a route (compat P43).
    Compatible(Priority),
    /// By the fields of a route, as Kong's manual says.
    Traditional(TraditionalRank),
    /// As the Gateway API says.
    GatewayApi(GatewayApiRank),
    /// By the priority of an expression, which stands above all routes by fields; then the larger id (compat D22).
    Expression { priority: u64, id: Uuid },
}

/// One thing that ranks are compared by: its name, and what this rank has.
pub(super) type Term = (&'static str, String);

impl Rank {
    /// The first comparison in which two ranks differ: its name, what this one has and what the other has; nothing
    /// where they are equal. For people.
    #[cfg_attr(not(test), allow(dead_code, reason = "for those who ask why"))]
    pub(super) fn deciding(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let both = self.terms().into_iter().zip(other.terms());
        let mut pairs = both.map(|((name, own), (_, other))| (name, own, other));
        pairs.find(|(_, own, other)| own != other)
    }

    /// What is compared, one after the other.
    fn terms(&self) -> Vec<Term> {
        match self {
            Self::Compatible(rank) => rank.terms(),
            Self::Traditional(rank) => rank.terms(),
            Self::GatewayApi(rank) => rank.terms(),
            Self::Expression { priority, id } => {
                vec![("priority", priority.to_string()), ("id", id.to_string())]
            }
        }
    }
}
