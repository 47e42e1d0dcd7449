//! The data plane of an embeddable API gateway.
#![forbid(unsafe_code)]

pub mod body;
mod clock;
pub mod config;
mod connect_info;
pub mod error;
mod pace;
pub mod plugin;
pub mod router;
pub mod server;

pub use body::Body;
pub use connect_info::{ConnectInfo, TlsInfo};
pub use error::{BoxError, Error, Reason};
