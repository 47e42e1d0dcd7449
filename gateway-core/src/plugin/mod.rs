//! Plugins: named factories of [`Handler`]s, and the chain that runs them.
//!
//! A [`Plugin`] takes one configuration and gives a [`Handler`], ready to run on many
//! requests at once, or a Tower layer that stands in the chain at the plugin's priority.

mod chain;
mod exchange;
mod handler;
mod layer;
mod recorded;
mod registry;
mod scoped;
mod series;
mod tap;

pub use chain::{Chain, Forward, Link};
pub use exchange::{Exchange, Matched, Source, Timings, UriCaptures};
pub use handler::{Flow, Handler, Resume, Wait};
pub use layer::{ChainLayer, ChainService, LayerPlugin};
pub use recorded::{Recorded, Try};
pub use registry::{Configured, Plugin, Registry};
pub use scoped::{ByConsumer, Scope, Scoped};
pub use series::Series;
pub(crate) use tap::Tap;
