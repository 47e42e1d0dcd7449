//! What the gateway shows of its work: metrics and the access log.
//!
//! [`Observer`] sees every request end. It counts on the worker's own cache lines, in the [`RouteMetrics`]
//! that the compiled route keeps, and hands a line to the [`AccessLog`] if there is one. [`Exposition`] adds
//! the workers up when Prometheus asks.
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{ConnectInfo, observe::{Exposition, NodeState, Observer}, plugin::Exchange, reply::Branding};
//!
//! let observer = Observer::new(2);
//! observer.finish(0, observer.metrics().unmatched(), &Exchange::new(Arc::new(ConnectInfo::unknown())));
//! let metrics = Arc::clone(observer.metrics());
//! let page = Exposition::new(metrics, &Branding::default(), NodeState::default);
//! assert!(Arc::new(page).text().contains("kong_http_requests_total"));
//! ```

mod access_log;
mod exposition;
mod histogram;
mod json;
mod latencies;
mod line;
mod lines;
mod metrics;
mod node;
mod observer;
mod record;
mod redacted;
mod route;
mod server;
mod sink;
mod statuses;
mod totals;

pub use access_log::AccessLog;
pub use exposition::{Exposition, Shown};
pub use latencies::Latencies;
pub use lines::Lines;
pub use metrics::Metrics;
pub use node::{NodeState, PolicyReading, TargetHealth, TargetState};
pub use observer::Observer;
pub use record::push_record;
pub use route::{PerConsumer, RouteMetrics};
pub use server::{ServerCounters, ServerStatus};
pub use sink::Sink;
