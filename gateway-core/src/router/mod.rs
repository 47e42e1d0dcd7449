//! Which route takes a request: pure, without a clock or I/O, generic over what a route is.
//!
//! [`Router`] holds routes with a value each and finds the one that takes a [`Head`]. A [`Flavor`] says how
//! routes are ranked; the engine below only knows rules, best first.
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{config::Route, router::{Head, Router}};
//! use http::{HeaderMap, Method};
//!
//! let mut users = Route::new("users");
//! users.paths = Some(vec!["/users".into()]);
//! let mut one = Route::new("one");
//! one.paths = Some(vec![r"~/users/(?<id>\d+)$".into()]);
//! let router = Router::new([(Arc::new(users), "users"), (Arc::new(one), "one")]).unwrap();
//!
//! let headers = HeaderMap::new();
//! let head = Head::new(&Method::GET, "example.com", "/users/7", &headers);
//! let found = router.find(&head).unwrap();
//! assert_eq!((*found.value, found.matched), ("one", 8));
//! assert_eq!(found.captures(head.path).unwrap().name("id"), Some("7"));
//! ```
//!
//! From a route to a match:
//!
//! | file | what it holds |
//! | --- | --- |
//! | `flavor` | the ways to rank routes |
//! | `flavors` | each of them: a route becomes ranked rules |
//! | `expression` | the flavour `expressions`: Kong's language, parsed and compiled to a rule |
//! | `rank` | the order of any rules, that of each flavour in a file of its own |
//! | `host`, `path`, `pattern`, `template`, `predicate`, `query` | what one rule asks for, and how it is written in a route |
//! | `rule` | these together |
//! | `rule_error` | what cannot be read of a route |
//! | `request` | a request with its decoded path, and what a rule takes of it |
//! | `tail`, `guard` | what is left to check of a rule once host and prefix fit |
//! | `candidate` | a rule as the index holds it, and one that was found |
//! | `list`, `crowd`, `entries` | few, many, any number of rules under one host and one path |
//! | `sign`, `filter` | what a request must show to be taken by one of many |
//! | `index`, `trie` | rules found by host, then by path |
//! | `slots` | values under small numbers |
//! | `map` | a hash map that is copied in part |
//! | `path_regex`, `search_regex`, `interned` | expressions, each compiled once |
//! | `budget`, `ledger` | how much memory expressions may take: those of one route, those of all |
//! | `router` | routes, their values, and the index over them |
//! | `captures` | what an expression or a template took out of a path |
//! | `join` | the path that goes to the upstream |
//! | `why` | why a request takes its route, and what routes mean for each other: for people |
//! | `hostname` | the names that a listener and a route have in common |
//!
//! # Cost
//! A match allocates nothing, with few exceptions: a regular expression makes its working space when it is first used;
//! a path of more than 256 bytes with an escape (`%20`) is decoded, once, before expressions and templates see it, and
//! so is a parameter of a query with one; a template with more than three parameters keeps them in a list; `lower()`
//! copies values that are long or not ASCII.
//!
//! The time of a match grows with the length of host and path, not with the number of routes:
//!
//! - Under one host and path, three rules are checked one by one. Of more than that, only those are checked that a
//!   value of a header, the method or four bytes of the path point to. So thousands of routes may differ in nothing
//!   but the value of a header, and thousands of expressions may begin alike (`~/[^/]+/orders-7/`).
//! - What has none of these is checked one by one: rules that differ only in server names, in the query, in expressions over
//!   headers, in regular expressions without four literal bytes in a row (`~/[a-z]+/\d+`), in templates, or in
//!   predicates of the flavour `expressions` other than those over host and path.
//! - At most eight headers are looked at under one host and path.
//!
//! Time in a path is linear, for any expression. Equal expressions are compiled once in the process.
//!
//! [`Router::apply`] costs what it touches: it copies a few nodes for each place of a route that comes or goes, some
//! microseconds a route. A clone of a router is free. Nothing of a router depends on what it was asked before: there
//! is no cache to fill, to poison or to flush (compat R14).

mod budget;
mod candidate;
mod captures;
mod crowd;
mod entries;
mod expression;
mod filter;
mod flavor;
mod flavors;
mod guard;
mod host;
mod hostname;
mod index;
mod interned;
mod join;
mod ledger;
mod list;
mod map;
mod path;
mod path_regex;
mod pattern;
mod predicate;
mod query;
mod rank;
mod request;
#[expect(clippy::module_inception, reason = "the room is named after its main noun")]
mod router;
mod rule;
mod rule_error;
mod search_regex;
mod sign;
mod slots;
mod tail;
mod template;
#[cfg(test)]
mod tests;
mod trie;
mod weight;
mod why;

use std::net::SocketAddr;

use http::{HeaderMap, Method};

use crate::config::Protocol;

pub use captures::Captures;
pub use expression::{Expression, ExpressionError, Predicate, Refused};
pub use flavor::{Dialect, Flavor, UnknownFlavor};
pub use hostname::common_hostnames;
pub use join::{Joined, append, join};
pub use rank::Comparison;
pub use router::{Match, Router};
pub use rule_error::RuleError;
pub use template::Template;
pub use why::explanation::{Capture, Explanation, Label, Missed, RunnerUp, Taken, Unmet};
pub(crate) use why::simple::start_of;

pub(crate) use why::survey::{Effect, Relation, survey};

/// What of a request takes part in routing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Head<'a> {
    /// `http` or `https`. Default: `http`.
    pub scheme: Protocol,
    /// The method.
    pub method: &'a Method,
    /// The host without port, canonical: lower case, no final dot.
    pub host: &'a str,
    /// The port of `Host`, or the scheme's own. Default: 80.
    pub port: u16,
    /// The canonical path, without query, as it stands on the wire: unreserved characters plain, all that may not
    /// stand plain in a path as upper-case `%XX` (compat P39).
    pub path: &'a str,
    /// The query, as it came, without `?`. Default: none.
    pub query: Option<&'a str>,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The TLS server name. Default: none.
    pub sni: Option<&'a str>,
    /// The client's end of its connection. Default: unknown.
    pub source: Option<SocketAddr>,
    /// This end. Default: unknown.
    pub destination: Option<SocketAddr>,
}

impl<'a> Head<'a> {
    /// A request in clear, of which nothing else is known. Its other fields may be set.
    #[must_use]
    pub const fn new(method: &'a Method, host: &'a str, path: &'a str, headers: &'a HeaderMap) -> Self {
        Self {
            scheme: Protocol::Http,
            method,
            host,
            port: 80,
            path,
            query: None,
            headers,
            sni: None,
            source: None,
            destination: None,
        }
    }
}
