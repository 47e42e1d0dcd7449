//! The tests of the trial plugin, natively. `cargo xtask plugin test plugin-sdk/tests/trial` runs them with the built one.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "a test fails by panicking"
)]

#[path = "trial/src/lib.rs"]
mod trial;

include!("trial/tests/front.rs");
