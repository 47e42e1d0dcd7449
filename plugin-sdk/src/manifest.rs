//! What a plugin is, readable without running it.
//!
//! `#[plugin]` puts the [`Manifest`] of a plugin into the custom section [`SECTION`] of the built module, as JSON:
//!
//! ```json
//! { "name": "key-auth", "version": "0.1.0", "priority": 1250, "on_error": "deny", "phases": ["request"],
//!   "reads_body": false, "protocols": [], "capabilities": [], "refused": ["consumer"],
//!   "config": { "type": "object", "properties": { "...": {} }, "additionalProperties": false } }
//! ```
//!
//! `config` is a JSON Schema (draft 2020-12) with three words more: `required` lists the fields that null is refused
//! for (absent ones take their default), `referenceable` marks fields that vault references are looked up in, and
//! `rules` holds what fields must fulfil together.

mod json;

use crate::table::{Record, Table};

/// The name of the custom section.
pub const SECTION: &str = "gateway-plugin";

/// What a plugin is.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// The name that configurations use.
    pub name: &'static str,
    /// The version of its crate.
    pub version: &'static str,
    /// Its place in the chain: higher runs first. Default 1000.
    pub priority: i32,
    /// What becomes of a request that it fails on: `deny` (the default), `allow`, or a status.
    pub on_error: &'static str,
    /// Its phases: `request`, `request_body`, `response`, `response_body`, `log`, `tick`.
    pub phases: &'static [&'static str],
    /// Whether it reads bodies while it holds the head.
    pub reads_body: bool,
    /// The protocols of the routes it can be put on; empty: all of HTTP.
    pub protocols: &'static [&'static str],
    /// What it asks to be allowed beside reading and writing messages.
    pub capabilities: &'static [&'static str],
    /// Whether it cannot be put on a consumer: it runs before one is known.
    pub no_consumer: bool,
    /// Whether it cannot be put on a route.
    pub no_route: bool,
    /// Whether it cannot be put on a service.
    pub no_service: bool,
    /// What its configuration may hold.
    pub config: Table,
}

impl Manifest {
    /// Of a plugin with the configuration `C`, with all defaults.
    #[must_use]
    pub const fn new<C: Record>(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            priority: 1_000,
            on_error: "deny",
            phases: &[],
            reads_body: false,
            protocols: &[],
            capabilities: &[],
            no_consumer: false,
            no_route: false,
            no_service: false,
            config: C::TABLE,
        }
    }

    /// The length of its JSON.
    #[must_use]
    pub const fn json_length(&self) -> usize {
        json::written::<0>(self).1
    }

    /// Its JSON, where `N` is [`json_length`](Self::json_length).
    #[must_use]
    pub const fn json<const N: usize>(&self) -> [u8; N] {
        json::written::<N>(self).0
    }
}
