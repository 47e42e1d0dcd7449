//! Plugins for the gateway, in Rust, as WebAssembly.
//!
//! A plugin is a type with methods for the phases of a request that it has a part in, and a configuration. It is tested
//! natively, built with `cargo build --release --target wasm32-unknown-unknown`, and the gateway loads the one file
//! that comes out of it.
//!
//! ```
//! //! Greets who is expected, and sends others away.
//! use plugin_sdk::prelude::*;
//!
//! /// Its configuration, one for each place where it is switched on.
//! #[config]
//! struct Config {
//!     /// Who may come in.
//!     #[field(default = ["alice", "bob"])]
//!     guests: Vec<String>,
//! }
//!
//! struct Doorman(Config);
//!
//! #[plugin(name = "doorman", priority = 1500)]
//! impl Doorman {
//!     fn configure(config: Config) -> Result<Self, String> {
//!         Ok(Self(config))
//!     }
//!
//!     fn on_request(&self, request: &mut Request) -> Flow {
//!         match request.header("x-guest") {
//!             Some(guest) if self.0.guests.iter().any(|known| guest == **known) => Flow::Continue,
//!             _ => Reply::refuse(403, "You are not on the list").into(),
//!         }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Phases
//! | method | when |
//! |---|---|
//! | `fn on_request(&self, request: &mut Request) -> Flow` | the head of a request has come |
//! | `fn on_request_body(&self, request: &mut Request, body: &mut Chunk) -> Flow` | part of its body has come |
//! | `fn on_response(&self, response: &mut Response) -> Flow` | the head of the answer has come, the gateway's own included |
//! | `fn on_response_body(&self, response: &mut Response, body: &mut Chunk) -> Flow` | part of its body has come |
//! | `fn on_log(&self, log: &Log)` | the request is over |
//! | `fn on_tick(&self)` | time has passed ([`time::tick_every`]) |
//!
//! `on_request` and `on_response` may be `async fn`: they may wait for callouts ([`Callout`]), for late answers of the
//! gateway and, with `reads_body`, for the request's body ([`Request::body`]). The message is held meanwhile. Written as
//! `fn on_request(self: Rc<Self>, request: Request) -> Outcome`, they choose each time whether they wait ([`Outcome`]).
//! Anything that becomes a [`Flow`] can be returned. Only the phases that are there cost anything.
//!
//! # What a plugin cannot do
//! There are no files, no sockets, no threads and no clock: what a plugin needs of the world is asked of the gateway.
//! A panic ends the plugin's instance and costs the request it happens in, nothing else.

extern crate self as plugin_sdk;

mod answer;
mod ask;
pub mod call;
mod callout;
mod chunk;
pub mod consumer;
pub mod counter;
pub mod crypto;
mod exports;
mod flow;
pub mod form;
mod headers;
#[doc(hidden)]
pub mod host;
mod join;
pub mod jwt;
pub mod kv;
pub mod log;
pub mod manifest;
pub mod metrics;
pub mod pair;
mod plugin;
pub mod prelude;
mod query;
pub mod ratelimit;
mod reply;
mod request;
mod response;
#[doc(hidden)]
pub mod runtime;
mod scene;
pub mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod text;
pub mod time;
pub mod var;

pub use answer::Answer;
pub use ask::Error;
pub use callout::Callout;
pub use chunk::Chunk;
pub use flow::{Flow, Outcome};
pub use headers::{Headers, Only};
pub use join::join;
pub use log::Log;
pub use plugin::Plugin;
pub use plugin_contract as contract;
pub use query::Query;
pub use reply::Reply;
pub use request::Request;
pub use response::Response;
pub use serde;
pub use serde_json;
pub use text::Text;

/// Makes a type with named fields a configuration, or part of one; and an enum without fields a choice of words.
///
/// It implements `Deserialize`, refuses unknown fields, and puts a table of the fields into the plugin's manifest:
/// the gateway checks configurations by it before the plugin sees them, and documents them from the doc comments.
///
/// On fields, `#[field(...)]` takes
///
/// | word | meaning |
/// |---|---|
/// | `default = "a"` | what stands in for absence: a literal or a list of literals |
/// | `greater_than = 0` | numbers above this one |
/// | `between = (1, 10)` | numbers from the first to the second, both included |
/// | `shortest = 1`, `longest = 64` | lengths of texts and lists |
/// | `one_of = ["a", "b"]` | texts, or elements, that are one of these |
/// | `format = "regex"` | texts, or elements, of this form: `header-name`, `host`, `server-name`, `ip-or-cidr`, `method`, `path`, `url`, `regex`, `header`, `name:value`, `name:template`, `header:header`, `header:value` |
/// | `set` | a list in which each value counts once |
/// | `referenceable` | texts, or elements, in which `{vault://...}` is looked up |
/// | `deprecated = "use x"` | on its way out |
///
/// and on the type, `#[config(...)]` takes `at_least_one_of = ["a", "b"]`, `mutually_exclusive = [...]`,
/// `mutually_required = [...]`, `required_where = ["a", "its value", "b.c"]` (then `b.c` must be set), and
/// `shorthand = ("b_c", "b.c")`: an old name for a field. A field is required unless it is an `Option`.
pub use plugin_sdk_macros::config;

/// Makes the methods of a block the phases of a plugin.
///
/// | word | meaning |
/// |---|---|
/// | `name = "my-plugin"` | the name that configurations use; required |
/// | `priority = 1000` | its place: higher runs first |
/// | `on_error = "deny"` | what becomes of a request that it fails on: `deny`, `allow`, or a status |
/// | `protocols = ["http"]` | the protocols of the routes it can be put on |
/// | `capabilities = ["consumer"]` | what it asks the operator to be allowed |
/// | `reads_body` | the request's body can be read while the head is held: [`Request::body`] |
/// | `no_consumer`, `no_route`, `no_service` | where it cannot be put |
pub use plugin_sdk_macros::plugin;
