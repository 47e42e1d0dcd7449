//! Plugins: named factories of [`Handler`]s, and the chain that runs them.
//!
//! A [`Plugin`] takes one configuration and gives a [`Handler`], ready to run on many
//! requests at once, a Tower layer that stands in the chain at the plugin's priority, or a [`Policy`] of how its
//! inner end forwards.

mod chain;
mod destination;
mod exchange;
mod handler;
mod hedging;
mod layer;
mod layer_plugin;
mod policy;
mod recorded;
mod registry;
mod retrying;
mod scoped;
mod series;
mod tap;
mod versions;

pub use chain::{Chain, Forward, Link};
pub use destination::{Destination, To, Way, Ways};
pub use exchange::{Exchange, Matched, Source, Timings, UriCaptures};
pub use handler::{Flow, Handler, Resume, Wait};
pub use hedging::{Hedging, Learned};
pub use layer::{ChainLayer, ChainService};
pub use layer_plugin::LayerPlugin;
pub use policy::{Admission, Bound, Guard, Keep, Keeper, Outcome, Permit, Policy, Reading};
pub use recorded::{Recorded, Try};
pub use registry::{Configured, Plugin, Registry};
pub use retrying::{Retrying, Spending};
pub(crate) use scoped::by_consumer;
pub use scoped::{ByConsumer, Scope, Scoped};
pub use series::Series;
pub(crate) use tap::Tap;
pub use versions::Versions;
