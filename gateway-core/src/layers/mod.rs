//! Layers that keep a service up while what it asks fails: for any [`Service`](tower_service::Service), on the
//! client side as well.
//!
//! | layer | does | answers by itself |
//! |---|---|---|
//! | [`BreakerLayer`] | stops asking for a while what keeps failing | with [`BreakerError::Open`] while it does |
//!
//! The gateway's own plugins (`circuit-breaker`, `retry`) share the state machines with these layers, and know more:
//! which endpoint a try went to, and whether it was written.

mod breaker;
mod time;

pub use breaker::{BreakerError, BreakerFuture, BreakerLayer, BreakerService, Classify, ServerErrors};
