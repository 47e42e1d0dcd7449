//! The words of Proxy-Wasm: what stands in the specification and knows nothing of a runtime.

mod kinds;
pub(crate) mod pairs;
mod status;

pub(crate) use kinds::{Action, BufferKind, LogLevel, MapKind, MetricKind, Side, Version};
pub use status::Status;
pub(crate) use status::{Answer, Errno};
