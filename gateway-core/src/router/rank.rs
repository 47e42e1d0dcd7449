//! The order of any rules.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use uuid::Uuid;

use super::{
    flavors::gateway_api::GatewayApiRank, flavors::priority::Priority, flavors::traditional::TraditionalRank,
};

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
        match self.deciding(winner) {
            None | Some((Comparison::ID, ..)) => self.tie(),
            Some((by, own, other)) => Comparison { by, says: sentence(by, &own, &other).into() },
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

impl Comparison {
    /// The word of a comparison that only the ids decide.
    const ID: &str = "id";

    #[cfg(test)]
    pub(super) fn is_tie(&self) -> bool {
        self.by == Self::ID
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// What puts a rank with `own` below one with `other`.
fn sentence(by: &str, own: &str, other: &str) -> String {
    let what = match by {
        "four fields or more" => return "four fields or more come first".to_owned(),
        "plain hosts only" => {
            return "hosts without a wildcard come before all other hosts and none".to_owned();
        }
        "wildcard host with a port" => return "a wildcard host with a port comes first".to_owned(),
        "regex" => return "a regular expression comes before a prefix and no path".to_owned(),
        "expression" => return "a route with an expression comes first".to_owned(),
        "method" => return "a route with methods comes before one without".to_owned(),
        "fields" => "fewer fields set",
        "headers" => "fewer headers",
        "queries" => "fewer parameters of the query",
        "regex_priority" => "lower regex_priority",
        "length" => "shorter prefix",
        "priority" => "lower priority",
        "created_at" => "the older wins",
        "name" => "the first name in the alphabet wins",
        other => other,
    };
    format!("{what}: {own} against {other}")
}
