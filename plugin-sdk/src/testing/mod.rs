//! Tests of plugins with `cargo test`: no gateway, no sockets, no waiting.
//!
//! A [`Gateway`] here holds one plugin and calls it as the real one would. What is around the plugin is scripted:
//! consumers, the upstream, other services, functions of the gateway. Time stands still until somebody waits for it.
//!
//! ```
//! use plugin_sdk::{prelude::*, testing::{self, json}};
//!
//! struct Greeter;
//!
//! #[plugin(name = "greeter")]
//! impl Greeter {
//!     fn configure((): ()) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn on_request(&self, request: &mut Request) -> Flow {
//!         let Some(key) = request.header("apikey") else { return Reply::refuse(401, "Who are you?").into() };
//!         match consumer::admit(consumer::Kind::Key, &key) {
//!             Ok(true) => Flow::Continue,
//!             _ => Reply::refuse(403, "Not you").into(),
//!         }
//!     }
//! }
//!
//! # fn main() {
//! let mut gateway = testing::Gateway::new::<Greeter>(json!({})).unwrap().consumer("alice", |alice| alice.key("abc"));
//!
//! let answer = gateway.send(testing::Request::get("/").header("apikey", "abc"));
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.upstream().header("x-consumer-username"), Some("alice"));
//!
//! let answer = gateway.send(testing::Request::get("/"));
//! assert_eq!((answer.status(), answer.message().as_deref()), (401, Some("Who are you?")));
//! assert!(!answer.is_forwarded());
//! # }
//! ```
//!
//! # What it does not do
//! Of the gateway's own functions it has those that need no cryptography: consumers, limiters in fixed windows,
//! counters, kept values (also on a server that nodes share, [`Server`]), variables, answers, time. A test scripts the others ([`Gateway::function`]). Refusals are always JSON.
//! Forwarding headers (`X-Forwarded-For` and the like) are not written.

mod answer;
mod check;
mod clock;
mod consumers;
mod exchange;
mod fields;
mod functions;
mod gateway;
mod guest;
mod host;
mod limiter;
mod link;
mod native;
mod pieces;
mod remote;
mod request;
mod response;
mod scripted;
mod server;
mod store;
#[doc(hidden)]
pub mod wire;
mod world;

pub use answer::Answer;
pub use consumers::Consumer;
pub use gateway::Gateway;
pub use request::{Received, Request};
pub use response::Response;
pub use serde_json::json;
pub use server::Server;
