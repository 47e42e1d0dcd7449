//! Why one route takes a request and the others do not, as plain data.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::super::{Comparison, Flavor};

/// Why one route takes a request and the others do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// How routes were ranked.
    #[serde(serialize_with = "as_name")]
    pub flavor: Flavor,
    /// The route that takes it.
    pub taken: Option<Taken>,
    /// The routes that match too, best first: at most [`Explanation::MOST_RUNNERS_UP`].
    pub runners_up: Vec<RunnerUp>,
    /// The routes that do not match, nearest first: at most [`Explanation::MOST_MISSED`].
    pub missed: Vec<Missed>,
    /// How many routes were looked at.
    pub routes: usize,
    /// How many of them match.
    pub matching: usize,
}

/// The route that takes a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Taken {
    /// Which one.
    pub route: Label,
    /// Its path that matched: a prefix, or `~` and an expression. None for a route without paths.
    pub path: Option<String>,
    /// How many bytes of the canonical path it matched.
    pub matched: usize,
    /// What its expression took out of the path, by number.
    pub captures: Vec<Capture>,
}

/// A group of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capture {
    /// Its number, from 1 on.
    pub number: usize,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it took, decoded; nothing where it took no part.
    pub value: Option<String>,
}

/// A route that matches, but ranks below the one that takes the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunnerUp {
    /// Which one.
    pub route: Label,
    /// Where it lost to the route that takes the request.
    pub lost: Comparison,
}

/// A route that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Missed {
    /// Which one.
    pub route: Label,
    /// The first criterion that failed.
    pub failed: Unmet,
    /// How many of its criteria fit.
    pub fits: usize,
    /// How many it has.
    pub criteria: usize,
}

/// A criterion that failed, [`Display`](fmt::Display)ed as `host: asks api.example.com, got www.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unmet {
    /// Which one: `host`, `path`, `method`, `header x-version`, `sni`.
    pub criterion: String,
    /// What the route asks for.
    pub asks: String,
    /// What the request has.
    pub got: String,
    /// Both in a sentence.
    pub says: String,
}

/// The id and the name of an entity, [`Display`](fmt::Display)ed as the name, or the id where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Label {
    /// Its id.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
}

impl Explanation {
    /// The most runners-up that are told.
    pub const MOST_RUNNERS_UP: usize = 10;

    /// The most routes that are told of those that do not match.
    pub const MOST_MISSED: usize = 5;
}

impl Label {
    /// An entity with this id and name.
    #[must_use]
    pub fn new(id: Uuid, name: Option<&str>) -> Self {
        Self { id, name: name.map(str::to_owned) }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`"),
            None => write!(f, "`{}`", self.id),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.criterion, self.says)
    }
}

fn as_name<S: Serializer>(flavor: &Flavor, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(flavor.as_str())
}
