//! The Admin API over a store, row by row of the contract, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod bodies;
mod conditions;
mod created;
mod document;
mod feed;
mod history;
mod http2;
mod leases;
mod model;
mod numbers;
mod operators;
mod paths;
mod refused;
mod stores;
mod terms;
mod tried;
