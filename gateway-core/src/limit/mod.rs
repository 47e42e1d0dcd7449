//! How many at a time: a limit that is fixed or finds itself, and a bounded queue before it.
//!
//! [`Gradient`] finds a limit by itself, from how much longer calls take than they would alone. It is pure, time is
//! passed in. [`Limiter`] lets calls in up to the limit and queues a bounded number of others.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use gateway_core::limit::{Entry, Limiter, Settings};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut settings = Settings::default();
//! (settings.most, settings.queue, settings.patience) = (1, 1, Duration::from_secs(1));
//!
//! let limiter = Arc::new(Limiter::default());
//! let Entry::Seated(seat) = limiter.enter(&settings, 1) else { panic!("the first one has a seat") };
//! let Entry::Queued(place) = limiter.enter(&settings, 1) else { panic!("the second one waits") };
//! assert!(matches!(limiter.enter(&settings, 1), Entry::Full));
//! drop(seat);
//! assert!(place.wait().await.is_some());
//! # });
//! ```

mod gradient;
mod limiter;
mod settings;

pub use gradient::{Gradient, Sample};
pub use limiter::{Entry, Limiter, Place, Seat};
pub use settings::{Mode, Settings};
