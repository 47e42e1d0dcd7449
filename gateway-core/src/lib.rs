//! The data plane of an embeddable API gateway.
#![forbid(unsafe_code)]

pub mod body;
pub mod config;
mod connect_info;
pub mod error;
pub mod observe;
pub mod plugin;
pub mod plugins;
pub mod reply;
pub mod router;

pub use body::Body;
pub use connect_info::{ConnectInfo, TlsInfo};
pub use error::{BoxError, Error, Reason};
