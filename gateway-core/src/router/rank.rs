//! The order of any rules.

mod comparison;
mod compatible;
mod gateway_api;
mod path_kind;
mod term;
mod traditional;

pub use comparison::Comparison;
pub(super) use compatible::Priority;
pub(super) use gateway_api::{GatewayApiRank, HostRank};
pub(super) use path_kind::PathKind;
pub(super) use traditional::TraditionalRank;

use uuid::Uuid;

use term::Term;

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

impl Rank {
    /// The first comparison in which two ranks differ: its name, what this one has and what the other has; nothing
    /// where they are equal. For people.
    pub(super) fn deciding(&self, other: &Self) -> Option<(&'static str, String, String)> {
        if let (Self::Expression { .. }, Self::Compatible(_))
        | (Self::Compatible(_), Self::Expression { .. }) = (self, other)
        {
            let has = |rank: &Self| matches!(rank, Self::Expression { .. }).to_string();
            return Some(("expression", has(self), has(other)));
        }
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

impl Rank {
    /// The first comparison that puts this one below `winner`.
    pub(super) fn lost(&self, winner: &Self) -> Comparison {
        match self.deciding(winner) {
            None | Some((Comparison::ID, ..)) => self.tie(),
            Some((by, own, other)) => Comparison::between(by, &own, &other),
        }
    }

    /// Nothing differs but the ids (compat D22).
    fn tie(&self) -> Comparison {
        let says = match self {
            Self::Compatible(_) | Self::Traditional(_) | Self::Expression { .. } => {
                "equal until the id: the larger wins"
            }
            Self::GatewayApi(_) => "equal until the id: the smaller wins",
        };
        Comparison { by: Comparison::ID, says: says.into() }
    }

    /// Whether nothing but the ids decides between the two (compat D22).
    pub(super) fn ties(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Compatible(own), Self::Compatible(other)) => own.ties(other),
            (Self::Traditional(own), Self::Traditional(other)) => own.ties(other),
            (Self::GatewayApi(own), Self::GatewayApi(other)) => own.ties(other),
            (Self::Expression { priority: own, .. }, Self::Expression { priority: other, .. }) => {
                own == other
            }
            _ => false,
        }
    }
}
