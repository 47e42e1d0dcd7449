//! Control over a running gateway: who may change what it serves by, and who may ask.
//!
//! - [`Control`] owns the changes: it takes a declarative file as text, gives it to the
//!   [`Gateway`](gateway_core::Gateway) and its certificates, and remembers how that went.
//! - [`Watch`] follows a file and hands each new content to it.
//! - [`admin`] answers Kong's Admin API.
//! - [`store`] keeps entities, with the log of their changes. [`Follow`] follows one that others write to, too,
//!   [`Expire`] takes out of it the targets that give no sign of life any more, and credentials whose time is over.
//!
//! A change goes one way: text or request, checked entities, the next snapshot, the store if there is one, one swap. What
//! is refused leaves node and store as they were, and is told in Kong's words, all of it ([`Refusal`]). [`Loads`]
//! remembers how the last ones went, [`Hash`](struct@Hash) names the text that runs, a [`Revision`](store::Revision)
//! what is kept; [`Differences`] are what a change did, for people.
//!
//! Nothing here is on the path of a request. It knows no flags, and no other node but through a store; only a store
//! writes to disk.
//!
//! ```
//! use gateway_control::Control;
//! use gateway_core::Gateway;
//!
//! let control = Control::new(Gateway::builder().build().unwrap());
//! let loaded = control.load("_format_version: '3.0'\nservices: [{name: users, host: users.internal}]\n").unwrap();
//! assert_eq!(loaded.services, 1);
//! assert!(control.load("_format_version: '3.0'\nservice: []\n").is_err(), "what ran before goes on");
//! ```

pub mod admin;
mod aligned;
mod control;
mod differences;
mod expire;
mod follow;
mod hash;
mod lease;
mod loads;
mod log_level;
mod refusal;
mod rows;
pub mod store;
mod task;
mod terms;
mod times;
mod watch;

pub use aligned::aligned;
pub use control::{Changed, Control, Loaded};
pub use differences::Differences;
pub use expire::Expire;
pub use follow::Follow;
pub use hash::Hash;
pub use loads::{Failure, Loads, Outcome};
pub use log_level::LogLevel;
pub use refusal::Refusal;
pub use watch::{Watch, WatchError};
