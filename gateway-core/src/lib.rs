//! The data plane of an embeddable API gateway: Tower inside, Kong's configuration outside.
//!
//! A [`Gateway`] is a [`tower::Service`](tower_service::Service) made from a [`Config`](config::Config). It
//! answers every request: its error is [`Infallible`](std::convert::Infallible). It mounts in axum or hyper,
//! and under Tower layers of your own. Its configuration changes while requests run.
//!
//! ```
//! use gateway_core::{Body, Gateway, config::{Config, Route, Service}};
//! use tower::ServiceExt;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! # let port = upstream.local_addr().unwrap().port();
//! # tokio::spawn(async move {
//! #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! #     let (mut stream, _) = upstream.accept().await.unwrap();
//! #     stream.read(&mut [0; 4096]).await.unwrap();
//! #     stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
//! # });
//! let mut service = Service::new("users", "127.0.0.1");
//! service.port = port;
//! let mut route = Route::new("users").to(&service);
//! route.paths = Some(vec!["/users".into()]);
//! let config = Config::default().with(service).with(route);
//! let gateway = Gateway::builder().config(config).build().unwrap();
//!
//! let request = |path| http::Request::get(path).header("host", "example.com").body(Body::empty()).unwrap();
//! let found = gateway.clone().oneshot(request("/users/7")).await.unwrap();
//! assert_eq!(found.status(), 204, "what the upstream says");
//! let lost = gateway.oneshot(request("/elsewhere")).await.unwrap();
//! assert_eq!(lost.status(), 404);
//! # });
//! ```
//!
//! # One request
//! It takes the [`Snapshot`] of the moment and keeps it to its end. Its head is made canonical
//! ([`sanitize`]), a route is found ([`router`]), the route's chain of plugins runs ([`plugin`]) around
//! one forwarder, which picks an endpoint and speaks to it ([`upstream`]). What it cost is counted and
//! logged once its body has ended ([`observe`]). An answer of the gateway itself has a [`Reason`]: the word
//! that log and metrics show.
//!
//! # One change
//! [`Gateway::reload`] and [`Gateway::apply`] compile the next snapshot and swap it in at one instant. A bad
//! configuration changes nothing; all its problems are told at once. What did not change goes on:
//! connections, counts, what plugins remember.
//!
//! # What to reach for
//! | to | use |
//! |---|---|
//! | read a `kong.yml`, with every problem's line and column | [`Config::parse`](config::Config::parse) |
//! | write the configuration in code | [`config`] and its entities |
//! | listen, with limits, TLS and a graceful stop | [`server`] and [`Gateway::serve`] |
//! | write a plugin | [`plugin::Handler`], [`plugin::Plugin`] |
//! | put a Tower layer into the chain, under a name | [`plugin::LayerPlugin`] |
//! | find the consumer of a key, in a plugin | [`identity::Identities`] |
//! | know the caller's address and TLS behind a listener of your own | [`ConnectInfo`] |
//! | set what is a node's and no entity's | [`Settings`] |
//! | find routes that no request reaches, and other doubtful places | [`lint`] |
//! | know why a request goes where it goes | [`Gateway::explain`] |
//!
//! # Parts that work alone
//! - [`router`]: which of many routes takes a request. Pure; generic over what a route leads to.
//! - [`sanitize`]: layers that make heads canonical, or refuse them, around any service, on either side.
//! - [`balance`]: which of several endpoints is next. Pure; it knows no connections.
//! - [`breaker`], [`retry`]: when to stop asking, and when to ask again. Pure; [`layers`] puts them, and a balancer
//!   over several services, around any service, on the client side too.
//! - [`split`]: who of several destinations takes a request, and whether a new one is worse. Pure.
//! - [`health`]: whether an endpoint is well: a state machine fed with outcomes. Pure; time is passed in.
//! - [`upstream`]: endpoints with pools, name resolution and retries, for any client.
//! - [`server`]: an HTTP/1 and HTTP/2 server with deadlines and limits, for any service.
//! - [`config`]: the entities, their file formats and their diagnostics, without a runtime.
//!
//! # What it does not know
//! Where a configuration comes from: no files, no database, no Kubernetes, no Admin API. Who may change it.
//! Flags and environment variables. Which plugins there are besides its own: the
//! [`Registry`](plugin::Registry) is yours to fill.
#![forbid(unsafe_code)]

pub mod balance;
mod body;
pub mod breaker;
mod clock;
mod closing;
pub mod config;
mod connect_info;
mod cork;
mod error;
pub mod explain;
mod forwarder;
mod gateway;
pub mod health;
pub mod identity;
pub mod layers;
pub mod limit;
pub mod lint;
pub mod observe;
mod pace;
pub mod plugin;
pub mod plugins;
pub mod reply;
mod request_id;
pub mod retry;
pub mod router;
pub mod sanitize;
pub mod server;
mod settings;
mod snapshot;
pub mod split;
pub mod upstream;

pub use body::Body;
pub use closing::Closing;
pub use connect_info::{ConnectInfo, TlsInfo};
pub use error::{BoxError, Error, Reason};
pub use gateway::{Builder, Gateway, Prepared, WeakGateway};
pub use request_id::RequestId;
pub use settings::Settings;
pub use snapshot::Snapshot;
