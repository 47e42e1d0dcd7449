//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod counter;
mod kv;
mod ratelimit;
mod response;
mod var;

pub(crate) use consumer::serve as consumers;
pub use consumer::{Consumers, FromConfig};
pub(crate) use counter::serve as counters;
pub(crate) use kv::serve as key_values;
pub(crate) use ratelimit::serve as rate_limits;

use std::sync::{Arc, LazyLock};

use crate::{CounterStore, KeyValueStore, Limiters, plugin::Builder};

/// What plugins of this process count and keep. It outlives them all.
static LIMITERS: LazyLock<Arc<Limiters>> = LazyLock::new(Arc::default);
static COUNTERS: LazyLock<Arc<CounterStore>> = LazyLock::new(Arc::default);
static VALUES: LazyLock<Arc<KeyValueStore>> = LazyLock::new(Arc::default);

/// Functions that belong together, granted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// `gateway.consumer.*`: who calls.
    Consumer,
    /// `gateway.counter.*`: numbers that are counted up and down.
    Counter,
    /// `gateway.kv.*`: values kept under keys.
    Kv,
    /// `gateway.ratelimit.*`: how often something may happen.
    RateLimit,
    /// `gateway.response.*`: what the answer will carry.
    Response,
    /// `gateway.var.*`: what plugins of one request tell each other.
    Var,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 6] =
        [Self::Consumer, Self::Counter, Self::Kv, Self::RateLimit, Self::Response, Self::Var];

    /// Its word in the names of functions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Counter => "counter",
            Self::Kv => "kv",
            Self::RateLimit => "ratelimit",
            Self::Response => "response",
            Self::Var => "var",
        }
    }

    /// Registers its functions as the gateway has them.
    pub(crate) fn serve(self, builder: Builder) -> Builder {
        match self {
            Self::Consumer => builder.consumers(FromConfig),
            Self::Counter => builder.counters(COUNTERS.clone()),
            Self::Kv => builder.key_values(VALUES.clone()),
            Self::RateLimit => builder.rate_limits(LIMITERS.clone()),
            Self::Response => builder.serve(response::Headers),
            Self::Var => var::serve(builder),
        }
    }
}
