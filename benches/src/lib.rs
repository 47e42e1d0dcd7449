//! Micro benches, each with its baseline beside it: `cargo bench -p gateway-benches`.
//!
//! [`routes`] is the data set of the router: up to 50,000 routes as a large installation has them.

mod answer;
mod random;
pub mod routes;

pub use answer::Answer;
