//! What the gateway shows of its work: metrics and the access log.

mod exposition;
mod histogram;
mod latencies;
mod metrics;
mod route;
mod server;
mod statuses;

pub use exposition::{Exposition, NodeState, TargetHealth, TargetState};
pub use latencies::Latencies;
pub use metrics::Metrics;
pub use route::{PerConsumer, RouteMetrics};
pub use server::{ConnectionGuard, ServerCounters, ServerStatus};
