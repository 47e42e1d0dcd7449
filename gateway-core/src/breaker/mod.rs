//! When to stop asking for a while: closed lets through, open refuses, half-open tries. Pure, with time passed in.
//!
//! [`Machine`] is the state machine of one breaker, [`Settings`] say when it opens and how it closes again, and
//! [`Breaker`] is a machine that many may use at once. [`BreakerLayer`](crate::layers::BreakerLayer) puts one
//! around any service.
//!
//! ```
//! use std::time::Duration;
//! use gateway_core::breaker::{Machine, Settings, State, Verdict};
//!
//! let mut settings = Settings::default();
//! (settings.consecutive, settings.open_for) = (3, Duration::from_secs(5));
//!
//! let mut breaker = Machine::default();
//! for _ in 0..3 {
//!     let ticket = breaker.admit(&settings, 1_000).unwrap();
//!     breaker.report(&settings, ticket, Verdict::FAILURE, 1_010);
//! }
//! assert_eq!(breaker.state(), State::Open);
//! // It says when to come back; then a few calls may try.
//! assert_eq!(breaker.admit(&settings, 2_010).unwrap_err().after, Duration::from_secs(4));
//! assert!(breaker.admit(&settings, 6_010).is_ok());
//! assert_eq!(breaker.state(), State::HalfOpen);
//! ```

#[expect(clippy::module_inception, reason = "the room's noun, in a file of its own")]
mod breaker;
mod machine;
mod settings;
mod window;

pub use breaker::{Breaker, Moment};
pub use machine::{Machine, Open, State, Ticket, Verdict};
pub use settings::Settings;
pub use window::Window;
