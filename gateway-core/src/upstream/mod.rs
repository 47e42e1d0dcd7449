//! The other side: endpoints, their connections, and the forwarder that uses them.

mod attempt;
mod backend;
mod connect;
mod dns;
mod download;
mod endpoint;
mod group;
mod interim;
mod pool;
mod replay;
mod target;
mod transport;
mod tunnel;
mod upload;

pub use backend::{Backend, HostPolicy};
pub use dns::{Dns, Resolution, Resolve, Resolved, Resolving};
pub use endpoint::Endpoint;
pub use group::Upstream;
pub use pool::PoolLimits;
pub use target::{Group, Member};
pub use transport::{TlsSettings, Transport};
pub(crate) use tunnel::Held;
pub use tunnel::tunnel;
