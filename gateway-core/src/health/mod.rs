//! Whether an endpoint is well: a state machine fed with what became of requests and probes. Pure, with time
//! and randomness passed in.
//!
//! [`Machine`] is Kong's state machine (compat H17 to H19). [`Health`] adds what goes beyond Kong: an endpoint
//! that traffic made unhealthy comes back by itself after a back-off (D20, [`Recovery`]). [`Outliers`] are those that
//! fail more often than their peers. [`Judge`] turns
//! statuses and failures into what they count as.
//!
//! ```
//! use gateway_core::{config::Healthchecks, health::{Health, Judge, Outcome, Recovery, State}};
//!
//! let mut checks = Healthchecks::default();
//! checks.passive.unhealthy.tcp_failures = 2;
//! let (judge, recovery) = (Judge::passive(&checks), Recovery::default());
//!
//! let mut health = Health::default();
//! for _ in 0..2 {
//!     health.report(judge.count(Outcome::TcpFailure), Some(&recovery), 1_000);
//! }
//! assert_eq!(health.state(), State::Unhealthy);
//! // Thirty seconds later one request may try it.
//! assert!(!health.begin_trial(&recovery, 30_999));
//! assert!(health.begin_trial(&recovery, 31_000));
//! health.report(judge.count(Outcome::Status(200)), Some(&recovery), 31_005);
//! assert_eq!(health.state(), State::Healthy);
//! ```

#[expect(clippy::module_inception, reason = "the room's noun, in a file of its own")]
mod health;
mod judge;
mod machine;
mod outliers;
mod quorum;
mod recovery;
mod schedule;

pub use health::Health;
pub use judge::{Judge, Outcome};
pub use machine::{Counted, Machine, State};
pub use outliers::{Counter, Outliers, Rounds, Tally};
pub use quorum::{Quorum, Standing};
pub use recovery::Recovery;
pub use schedule::{Schedule, first_probe};
