//! The Admin API of a node without a database, row by row of the contract, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod browsers;
mod declared;
mod health;
mod lists;
mod node;
mod schemas;

/// A configuration that serves nothing.
const ROUTELESS: &str = "_format_version: '3.0'\n_comment: nothing\n";
