//! What a configuration says and hardly means.
//!
//! A configuration may be right in every field and still not do what its author thinks: a route that no request
//! reaches, two that only their ids tell apart, an expression that another engine read otherwise. [`lint`] finds
//! such places. It never changes what is served, and what it calls unreachable is proved to be.
//!
//! ```
//! use gateway_core::{config::{Colour, Config, Places}, lint::{Code, lint}, plugin::Registry, router::Flavor};
//!
//! let text = r"
//! _format_version: '3.0'
//! routes:
//! - {name: all, paths: ['~/users']}
//! - {name: one, paths: [/users/me]}
//! ";
//! let config = Config::parse(text, &Registry::empty()).unwrap();
//! let findings = lint(&config, Flavor::default()).located(&Places::of(text));
//! let found: Vec<_> = findings.iter().map(|finding| (finding.code, finding.span.unwrap().line)).collect();
//! assert_eq!(found, [(Code::RegexWithoutNeed, 4), (Code::UnreachableRoute, 5)]);
//! print!("{}", findings.render("kong.yml", text, Colour::Never));
//! ```
//!
//! Every code has a section in `docs/lint.md` with an example. Routes are not compared each with each, so 50,000 of
//! them take seconds.

mod code;
mod destinations;
mod expressions;
mod finding;
mod refused;
mod render;
mod routes;
mod upstreams;

pub use code::{Code, Severity};
pub use finding::{Finding, Findings, Party};
pub use refused::lint_refused;

use crate::{config::Config, router::Dialect};

/// What is doubtful in `config`, were its routes read by this [`Flavor`](crate::router::Flavor), or by a whole
/// [`Dialect`].
#[must_use]
pub fn lint(config: &Config, dialect: impl Into<Dialect>) -> Findings {
    let mut findings = Findings::default();
    routes::lint(config, dialect.into(), &mut findings);
    upstreams::lint(config, &mut findings);
    destinations::lint(config, &mut findings);
    findings
}
