//! Who of several destinations takes a request: by lot or by a hash that keeps callers where they are, in steps over
//! time, and until one of them turns out to be worse. Pure: time and randomness come in.
//!
//! A request is told apart by a number of 32 bits, its *lot*: a random one, or the hash of who calls. A share of the
//! lots belongs to each destination. As a share grows, whoever is in it stays in it.
//!
//! ```
//! use gateway_core::split::{Plan, Shares};
//!
//! let shares = Shares::new(&[90, 10]).unwrap();
//! assert_eq!((shares.of(0), shares.of(u32::MAX)), (0, 1));
//!
//! let plan = Plan::Steps { start: 1_000, duration: 3_600, steps: 4 };
//! assert_eq!(plan.at(1_000 + 1_800).percent(), 50.0);
//! ```

mod comparison;
mod plan;
mod share;
mod times;

pub use comparison::{Comparison, Limits, Outcome, Regression, Side};
pub use plan::Plan;
pub use share::{Share, Shares};
pub use times::Times;
