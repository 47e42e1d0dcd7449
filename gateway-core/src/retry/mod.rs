//! Whether to try again, when, and how often all together. Pure: time and randomness are passed in.
//!
//! [`Settings`] say which failures and statuses are tried again, [`Backoff`] how long to wait before, and a
//! [`Budget`] bounds the share of tries that are repetitions, so that an upstream that is down is not asked
//! many times as often as one that is up. A [`Hedge`] asks a second time before the first try has failed.
//!
//! ```
//! use gateway_core::retry::{Budget, Share};
//!
//! let (mut budget, share) = (Budget::default(), Share { percent: 20, per_second: 0 });
//! for _ in 0..10 {
//!     budget.deposit(&share, 1_000);
//! }
//! let tries = (0..10).filter(|_| budget.withdraw(&share, 1_000)).count();
//! assert_eq!(tries, 2);
//! ```

mod backoff;
mod budget;
mod deadline;
mod hedge;
mod settings;

pub use backoff::Backoff;
pub use budget::{Budget, Share};
pub use deadline::DeadlineHeader;
pub use hedge::{Hedge, Pace};
pub use settings::{Causes, Settings, retry_after};
