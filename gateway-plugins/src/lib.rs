//! A Proxy-Wasm host: filters in WebAssembly as plugins of the gateway.
//!
//! A module built for Proxy-Wasm 0.1.0, 0.2.0 or 0.2.1, with any SDK, becomes a [`WasmPlugin`] and is registered like
//! a native plugin. It runs in a sandbox: bounded memory, bounded time, no files, no network but the callouts it is
//! granted. A trap costs the request it happens in, and nothing else.
//!
//! ```no_run
//! use std::sync::Arc;
//! use gateway_core::{Gateway, plugins};
//! use gateway_plugins::{Engine, GatewayUpstreams, WasmPlugin};
//!
//! let engine = Engine::new()?;
//! let upstreams = Arc::new(GatewayUpstreams::default());
//! let plugin = WasmPlugin::builder("authz")
//!     .priority(1_000)
//!     .upstreams(upstreams.clone(), ["opa"])
//!     .file(&engine, "authz.wasm")?;
//! let gateway = Gateway::builder().plugins(plugins::bundled().with(plugin)).build()?;
//! upstreams.connect(&gateway);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! What of the ABI is there, callback by callback, and every limit with its number: `docs/plugins-host.md`.
//!
//! # Rooms
//! From what knows nothing to what knows all: `abi`, `buffer`, `deadline`, `quarantine` and `shared` are pure;
//! `ratelimit`, `counter` and `kv` are what plugins count and keep, in a `table` or in `redis`;
//! `event`, `stream` and `home` are requests within an instance, and the way back to it; `runtime` is what the
//! instances of a plugin share, `host` what a store carries; `caller`, `fields` and `hostcalls` are what a guest can do;
//! `module`, `exports`, `entry` and `instance` are one virtual machine; `worker` and `pool` keep one per worker;
//! `handler` and `filter` are the gateway's side; `plugin` is what is registered. `ARCHITECTURE.md` has them all.
//!
//! # What it does not know
//! Which modules to trust: who names a source names its hash.
#![deny(unsafe_code)]

mod abi;
mod alive;
mod bound;
mod broken;
mod budgets;
mod buffer;
mod builder;
mod bundled;
mod by_id;
mod cache;
mod call;
mod caller;
mod clock;
mod commons;
mod complaints;
mod conclusion;
mod config;
mod counter;
mod deadline;
mod delivery;
mod effects;
mod engine;
mod entity;
mod entry;
mod error;
mod event;
mod exports;
mod fetch;
mod fields;
mod files;
mod filter;
mod folder;
mod function;
mod functions;
mod grants;
mod grpc;
mod handler;
mod happened;
mod held;
mod home;
mod host;
mod hostcalls;
mod inspection;
mod instance;
mod isolation;
mod kv;
mod limits;
mod lines;
mod load;
mod mailbox;
mod manifest;
mod memory;
mod message;
mod module;
mod names;
mod notes;
mod origins;
mod pause;
mod plugin;
mod policy;
mod pool;
mod properties;
mod quarantine;
mod ratelimit;
mod readings;
mod redis;
mod routes;
mod runtime;
mod sections;
mod services;
mod share;
mod shared;
mod shown;
mod sources;
mod state;
mod stream;
mod streams;
mod table;
mod ticker;
mod ticket;
mod upstreams;
mod uses;
mod versions;
mod waiting;
mod watch;
mod work;
mod worker;

pub use abi::Status;
pub use alive::Alive;
pub use builder::Builder;
pub use bundled::Plugins;
pub use call::{Call, Configuration};
pub use counter::{Counted, CounterStore, Counters};
pub use effects::Effects;
pub use engine::Engine;
pub use entity::Entity;
pub use error::LoadError;
pub use fetch::{Credentials, Digest, FetchError, Fetcher, Source};
pub use folder::Folder;
pub use function::{Answer, Function, Reply};
pub use functions::{Area, FromConfig, NodeSecrets};
pub use inspection::Inspection;
pub use isolation::Isolation;
pub use kv::{KeyValueStore, KeyValues, Late, RemoteValues};
pub use limits::Limits;
pub use manifest::Manifest;
pub use module::Module;
pub use plugin::WasmPlugin;
pub use policy::OnError;
pub use ratelimit::{Checked, Limiters, RateLimit, RateLimits, Scope, Verdict};
pub use runtime::Stats;
pub use services::{ForeignFunction, Returned};
pub use shared::{Metric, MetricValue};
pub use sources::{Calling, Consumers, Reach, Secrets, Upstreams};
pub use upstreams::GatewayUpstreams;
pub use watch::Watch;
