//! Listeners that keep their promises: what stock hyper leaves to its user.
//!
//! hyper parses; this room decides how long a client may take for everything, how many may come, what a
//! flood is, which certificate a name gets, and how to stop without losing a request. It knows nothing of
//! gateways: it serves whatever is [`Serve`], so an embedder may use it for a service of his own.
//!
//! - [`Server`] runs workers: threads with a single-threaded runtime and `SO_REUSEPORT` listeners each.
//! - [`Listen`] says where and how: in clear, with TLS, behind proxies that tell whom they speak for.
//! - [`Connections`] serves connections that somebody else accepted, on any tokio runtime.
//! - [`Certificates`] are found by server name and swapped while connections go on.
//! - [`Drain`] stops either of them.
//! - [`Counters`] tell what happened.
//!
//! The files, in the order of a connection's life: `listener` accepts, `proxy_protocol` reads whom a proxy
//! speaks for, `connection` settles TLS (`tls`,
//! `certificates`) and the version of HTTP, `timed_io` and `answer` write down progress in `state` and
//! `streams`, `tape` remembers
//! the heads where a strict edge asks for what hyper takes off them, `deadline` says whose patience ends when, `watchdog` sees to it, `frames` counts what an
//! HTTP/2 client may say without asking for anything.

mod answer;
mod certificates;
mod connection;
mod counters;
mod deadline;
mod drain;
mod farewell;
mod frames;
mod listen;
mod listener;
mod protocol;
mod proxy_protocol;
mod rest;
mod runner;
mod serve;
mod settings;
mod state;
mod stream_executor;
mod streams;
mod tape;
mod timed_io;
mod tls;
mod watchdog;

pub use certificates::{CertificateError, Certificates};
pub use connection::{Connections, serve_connection};
pub use counters::{Counters, Refusal, Snapshot, Timeout};
pub use drain::{Drain, Phase};
pub use listen::Listen;
pub use listener::BindError;
pub use proxy_protocol::ProxyHead;
pub use runner::{Bound, Running, Server};
pub use serve::{Serve, TowerFuture, TowerServe};
pub use settings::{Limits, PortUse, Settings, Timeouts};
pub use timed_io::Transport;

pub use crate::cork::Corked;
