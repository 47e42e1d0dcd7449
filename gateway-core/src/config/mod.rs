//! The entities of a configuration, named as Kong names them.
//!
//! This room knows no sockets and no clock. A [`Config`] is data; a
//! [`Snapshot`](crate::Snapshot) is what the gateway makes of it.

mod certificate;
mod consumer;
mod decode;
mod document;
mod entities;
mod export;
mod id;
mod plugin;
mod problem;
mod protocol;
mod route;
pub mod schema;
mod service;
mod upstream;
mod vault;

pub use certificate::{CaCertificate, Certificate, Sni};
pub use consumer::{Consumer, ConsumerGroup, Credential, CredentialKind};
pub use decode::Options;
pub use document::Span;
pub use entities::{Change, Config, Entities, Entity};
pub use id::{Reference, derived_id};
pub use plugin::Plugin;
pub use problem::{Colour, Matter, Path, Problem, Problems, Step, Subject};
pub use protocol::Protocol;
pub use route::{Address, PathHandling, Route};
pub use service::Service;
pub use upstream::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, Algorithm, CheckType, HashOn, Healthchecks, PassiveChecks,
    PassiveHealthy, PassiveUnhealthy, Target, Upstream,
};
pub use vault::{Key, KeySet, Pem, Vault};
