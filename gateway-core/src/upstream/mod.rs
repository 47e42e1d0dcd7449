//! The other side: endpoints, their connections, and the way there.
//!
//! A [`Group`] says what an upstream is made of, an [`Upstream`] is that group at work: its names looked up,
//! its [`Endpoint`]s with their open connections, its balancer. A [`Backend`] adds how to speak to them
//! ([`Transport`]) and the limits of one service, and forwards requests. The gateway makes all of it from its
//! configuration; each part also works alone.
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{
//!     Body, ConnectInfo, config::Service, plugin::Exchange,
//!     upstream::{Backend, Dns, Group, HostPolicy, Member, PoolLimits, Transport, Upstream},
//! };
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! # let port = listener.local_addr().unwrap().port();
//! # tokio::spawn(async move {
//! #     let (mut stream, _) = listener.accept().await.unwrap();
//! #     stream.read(&mut [0; 4096]).await.unwrap();
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
//! #     stream.read(&mut [0; 1]).await.unwrap();
//! # });
//! let group = Group::new("users", [Member::new("127.0.0.1", port)]);
//! let upstream = Upstream::new(group, None, Arc::new(Dns::system()), 1, PoolLimits::default());
//! let backend = Backend::new(&Service::new("users", "users"), upstream, Transport::clear());
//!
//! let mut request = http::Request::get("/").body(Body::empty()).unwrap();
//! let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
//! let response = backend.forward(&mut request, HostPolicy::Endpoint, 0, &mut exchange).await.unwrap();
//! assert_eq!((response.status().as_u16(), exchange.tries), (200, 1));
//! # });
//! ```

mod attempt;
mod backend;
mod balancing;
mod connect;
mod deadline;
mod dns;
mod download;
mod endpoint;
mod flaw;
mod forwarding;
mod governed;
mod group;
mod hashing;
mod hedged;
mod held;
mod hosts;
mod http1;
mod http2;
mod idle;
mod learning;
mod lookup;
mod making;
mod pool;
mod probe;
mod prober;
mod probing;
mod rules;
mod set;
mod sticky;
mod target;
mod task;
mod tend;
mod transport;
mod tries;
mod tunnel;
mod upload;
mod verify;
mod vital;
mod watch;
mod websocket;

pub use backend::{Backend, HostPolicy};
pub use dns::{Dns, Resolution, Resolve, Resolved, Resolving};
pub use endpoint::Endpoint;
pub(crate) use flaw::flaw;
pub use flaw::handshake_failure;
pub use group::{Unchecked, Upstream};
pub use hashing::Hashing;
pub(crate) use hashing::cookie;
pub(crate) use making::Known;
pub use pool::PoolLimits;
pub(crate) use rules::Rules;
pub use sticky::Sticky;
pub use target::{Group, Member};
pub use transport::{TlsSettings, Transport};
pub use tunnel::{Switched, tunnel};
