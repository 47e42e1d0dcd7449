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
//! | `compile` | the compiler of each |
//! | `compatible` | the flavour `traditional_compatible`: a route becomes ranked rules |
//! | `priority` | the order of its rules |
//! | `traditional`, `gateway_api` | the flavours of these names, each with its order |
//! | `fields`, `paths` | what they read in the same way |
//! | `rank` | the order of any rules |
//! | `host`, `path`, `pattern`, `template`, `predicate`, `query` | what one rule asks for, and how it is written in a route |
//! | `rule` | these together |
//! | `rule_error` | what cannot be read of a route |
//! | `tail`, `guard` | what is left to check of a rule once host and prefix fit |
//! | `index`, `trie` | rules found by host, then by path |
//! | `router` | routes, their values, and the index over them |
//! | `captures` | what an expression or a template took out of a path |
//! | `join` | the path that goes to the upstream |
//! | `survey` | which routes others leave nothing to, and which only their ids tell apart: for the linter |
//! | `wants`, `cover`, `simple` | rules, compared with each other |
//! | `explain`, `explanation`, `criterion` | why it is this route and none of the others, for people |
//! | `hostname` | the names that a listener and a route have in common |
//!
//! # Cost
//! A match allocates nothing, with few exceptions: an expression makes its working space when it is first used, a
//! path with an escape (`%20`) is decoded before an expression or a template sees it, and so is such a parameter of a
//! query; a template with more than three parameters keeps them in a list. The time of a match grows with the length
//! of host and path and with the number of rules that share both a host and a path, not with the number of routes:
//! a thousand routes that differ by nothing but a header's value are looked at one after the other.

mod captures;
mod compatible;
mod compile;
mod cover;
mod criterion;
mod explain;
mod explanation;
mod fields;
mod flavor;
mod gateway_api;
mod guard;
mod host;
mod hostname;
mod index;
mod join;
mod path;
mod paths;
mod pattern;
mod predicate;
mod priority;
mod query;
mod rank;
#[expect(clippy::module_inception, reason = "the room is named after its main noun")]
mod router;
mod rule;
mod rule_error;
mod simple;
mod survey;
mod tail;
mod template;
#[cfg(test)]
mod tests;
mod traditional;
mod trie;
mod wants;

use std::net::SocketAddr;

use http::{HeaderMap, Method};

use crate::config::Protocol;

pub use captures::{Captures, PathPattern};
pub use explanation::{Capture, Explanation, Label, Missed, RunnerUp, Taken, Unmet};
pub use flavor::{Dialect, Flavor, UnknownFlavor};
pub use hostname::common_hostnames;
pub use join::{Joined, append, join};
pub use rank::Comparison;
pub use router::{Match, Router};
pub use rule_error::RuleError;
pub(crate) use simple::start_of;
pub(crate) use survey::{Effect, Relation, survey};
pub use template::Template;

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
