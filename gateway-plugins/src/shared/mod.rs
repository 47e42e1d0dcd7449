//! What the instances of a plugin share: data, queues, metrics. Each has a bound.

mod data;
mod metrics;
mod queue;

pub(crate) use data::SharedData;
pub(crate) use metrics::Metrics;
pub use metrics::{Metric, MetricValue};
pub(crate) use queue::{QueueId, Queues};
