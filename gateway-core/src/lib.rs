//! The data plane of an embeddable API gateway.
#![forbid(unsafe_code)]

pub mod balance;
mod body;
mod clock;
pub mod config;
mod connect_info;
mod error;
mod forwarder;
mod gateway;
pub mod observe;
mod pace;
pub mod plugin;
pub mod plugins;
pub mod reply;
mod request_id;
pub mod router;
pub mod sanitize;
pub mod server;
mod settings;
mod short_writes;
mod snapshot;
pub mod upstream;

pub use body::Body;
pub use connect_info::{ConnectInfo, TlsInfo};
pub use error::{BoxError, Error, Reason};
pub use gateway::{Builder, Gateway};
pub use request_id::RequestId;
pub use settings::Settings;
pub use snapshot::Snapshot;
