//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod counter;
mod crypto;
mod jwt;
mod kept;
mod kv;
mod password;
mod public_key;
mod ratelimit;
mod report;
mod request;
mod response;
mod secret;
#[cfg(test)]
mod testing;
mod time;
mod var;

pub use consumer::FromConfig;
pub(crate) use report::follow;
pub use secret::NodeSecrets;

use std::sync::{Arc, LazyLock};

use plugin_contract::{Call as _, NOW, decode, encode};
use serde::Deserialize;

use crate::{
    Call, CounterStore, KeyValueStore, Limiters, Returned, Status, function::serve, services::Services,
    sources::Sources,
};

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
    /// `gateway.request.*`: the request, beyond its fields.
    Request,
    /// `gateway.response.*`: what the answer will carry.
    Response,
    /// `gateway.time.*`: waiting.
    Time,
    /// `gateway.var.*`: what plugins of one request tell each other.
    Var,
    /// `gateway.crypto.*`: cryptography, with the keys of credentials and secrets.
    Crypto,
    /// `gateway.jwt.*`: JSON Web Tokens.
    Jwt,
    /// `gateway.secret.*`: secrets, as far as a configuration is granted them.
    Secret,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 11] = [
        Self::Consumer,
        Self::Counter,
        Self::Crypto,
        Self::Jwt,
        Self::Kv,
        Self::RateLimit,
        Self::Request,
        Self::Response,
        Self::Secret,
        Self::Time,
        Self::Var,
    ];

    /// Its word in the names of functions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Counter => "counter",
            Self::Kv => "kv",
            Self::RateLimit => "ratelimit",
            Self::Request => "request",
            Self::Response => "response",
            Self::Time => "time",
            Self::Var => "var",
            Self::Crypto => "crypto",
            Self::Jwt => "jwt",
            Self::Secret => "secret",
        }
    }

    /// Registers its functions as the gateway has them.
    pub(crate) fn register(self, services: &mut Services) {
        match self {
            Self::Consumer => consumer::register(services),
            Self::Counter => serve(services, counter::Count),
            Self::Kv => kv::register(services),
            Self::RateLimit => {
                ratelimit::register(services);
                report::register(services);
            }
            Self::Request => request::register(services),
            Self::Response => {
                services.add(plugin_contract::response::Headers::NAME, Arc::new(response::headers));
                serve(services, response::Refuse);
            }
            Self::Time => serve(services, time::Sleep),
            Self::Var => var::register(services),
            Self::Crypto => crypto::register(services),
            Self::Jwt => jwt::register(services),
            Self::Secret => services.add(plugin_contract::secret::Get::NAME, Arc::new(secret::get)),
        }
    }
}

/// No functions, over the gateway's own sources.
pub(crate) fn services() -> Services {
    let (consumers, secrets) = (Arc::new(FromConfig), Arc::new(NodeSecrets));
    let (rate_limits, counters, values) = (LIMITERS.clone(), COUNTERS.clone(), VALUES.clone());
    Services::new(Sources { upstreams: None, consumers, secrets, rate_limits, counters, values })
}

/// The arguments of a call.
fn read<'a, T: Deserialize<'a>>(arguments: &'a [u8]) -> Result<T, Status> {
    decode(arguments).ok_or(Status::BadArgument)
}

/// An answer that is there at once.
#[expect(clippy::needless_pass_by_value, reason = "answers are numbers and references")]
fn now<C: plugin_contract::Call>(call: &mut Call<'_>, answer: C::Answer<'_>) -> Result<Returned, Status> {
    let mut room = std::mem::take(call.answer);
    room.push(NOW);
    *call.answer = encode(&answer, room).map_err(|_| Status::SerializationFailure)?;
    Ok(Returned::Written)
}
