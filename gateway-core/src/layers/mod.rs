//! Layers that keep a service up while what it asks fails: for any [`Service`](tower_service::Service), on the
//! client side as well.
//!
//! | layer | does | answers by itself |
//! |---|---|---|
//! | [`BalanceLayer`] | spreads calls over several services, and leaves out who fails more often than the others | where there is none |
//! | [`BreakerLayer`] | stops asking for a while what keeps failing | with [`BreakerError::Open`] while it does |
//! | [`RetryLayer`] | sends requests again that failed, within a budget | where a limit of time is over |
//! | [`ConcurrencyLayer`] | lets no more calls through at a time than a limit | where its queue is full, or the wait too long |
//!
//! The gateway's own plugins (`circuit-breaker`, `retry`, `concurrency-limit`) share the state machines with these layers, and know more:
//! which endpoint a try went to, and whether it was written.

mod balance;
mod breaker;
mod concurrency;
mod replay;
mod retry;
mod time;

pub use balance::{BalanceError, BalanceFuture, BalanceLayer, BalanceService};
pub use breaker::{BreakerError, BreakerFuture, BreakerLayer, BreakerService, Classify, ServerErrors};
pub use concurrency::{ConcurrencyError, ConcurrencyLayer, ConcurrencyService, Seated};
pub use replay::Replay;
pub use retry::{AnyError, Failed, Judge, RetryError, RetryLayer, RetryService};
