//! The entities of a configuration, named as Kong names them; how they are read, checked and
//! written out.
//!
//! A [`Config`] is data: entities by id. It comes from a declarative file ([`Config::parse`]), or
//! from typed entities put together in code and checked ([`Config::check`]); it goes back into a
//! file with [`Config::to_yaml`]. What is wrong comes as [`Problems`]: all of them, each with
//! Kong's message, its path and its place in the text. The tables of fields in [`schema`] drive
//! all of this.
//!
//! ```
//! use gateway_core::{config::{Colour, Config}, plugin::Registry};
//!
//! let text = "_format_version: \"3.0\"\nservices:\n- name: users\n  port: 80800\n";
//! let problems = Config::parse(text, &Registry::empty()).expect_err("a host is missing, the port is too high");
//! assert_eq!(problems.len(), 2);
//! print!("{}", problems.render("kong.yml", text, Colour::Always));
//! ```
//!
//! This room knows no sockets and no clock; of the system it knows the environment, for
//! `{vault://env/...}`, unless [`Options`] bring another one.

mod by_kind;
mod certificate;
mod checked;
mod consumer;
mod decode;
mod document;
mod entities;
mod export;
mod healthchecks;
mod id;
mod index;
mod kinds;
mod number;
mod places;
mod plugin;
mod problem;
mod protocol;
pub(crate) mod regex_limits;
mod route;
pub mod schema;
mod service;
pub(crate) mod tags;
mod target;
mod upstream;
mod vault;

pub use certificate::{CaCertificate, Certificate, Sni};
pub use checked::Checked;
pub use consumer::{Consumer, ConsumerGroup, Credential, CredentialKind};
pub use decode::{Environment, Options};
pub use document::Span;
pub use entities::{Entities, Iter};
pub use healthchecks::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, CheckType, Healthchecks, PassiveChecks, PassiveHealthy,
    PassiveUnhealthy,
};
pub use id::{Reference, derived_id};
pub use kinds::{Change, Config, Entity};
pub use number::number;
pub use places::Places;
pub use plugin::Plugin;
pub use problem::{Colour, Matter, Other, Path, Problem, Problems, Step, Subject};
pub(crate) use problem::{Drawing, excerpt, renderer};
pub use protocol::Protocol;
pub use route::{Address, PathHandling, Route};
pub use service::Service;
pub use target::Target;
pub use upstream::{Algorithm, HashOn, Upstream};
pub use vault::{Key, KeySet, Pem, Vault};
