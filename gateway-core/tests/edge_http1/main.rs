//! HTTP/1 at the edge of the whole gateway: raw bytes in, and what an upstream with a parser of its own gets.
//!
//! Each vector says its row of docs/threat-model.md, what is sent, the status that answers it, and whether the
//! connection goes on. After each one a plain request has to be answered right, on a new connection and on the
//! same one where that goes on, so that nothing stays behind in either direction.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chunks;
mod fields;
mod framing;
mod range;
mod target;
mod turns;
#[path = "../common/wire/mod.rs"]
mod wire;
