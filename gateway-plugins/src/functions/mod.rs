//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod counter;
mod crypto;
mod jwt;
mod kv;
mod password;
mod public_key;
mod ratelimit;
mod request;
mod response;
mod secret;
#[cfg(test)]
mod testing;
mod time;
mod var;

pub use consumer::{Consumers, FromConfig};
pub(crate) use counter::serve as counters;
pub(crate) use kv::serve as key_values;
pub(crate) use ratelimit::serve as rate_limits;
pub use secret::{NodeSecrets, Secrets};

use std::sync::{Arc, LazyLock};

use plugin_contract::{Call as _, NOW, decode, encode};
use serde::Deserialize;

use crate::{Call, CounterStore, KeyValueStore, Limiters, Returned, Status, plugin::Builder};

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
    pub(crate) fn serve(self, builder: Builder) -> Builder {
        match self {
            Self::Consumer => consumer::serve(builder),
            Self::Counter => builder.counters(COUNTERS.clone()),
            Self::Kv => builder.key_values(VALUES.clone()),
            Self::RateLimit => builder.rate_limits(LIMITERS.clone()),
            Self::Request => request::serve(builder),
            Self::Response => builder.serve(response::Headers).serve(response::Refuse),
            Self::Time => builder.serve(time::Sleep),
            Self::Var => var::serve(builder),
            Self::Crypto => crypto::serve(builder),
            Self::Jwt => jwt::serve(builder),
            Self::Secret => builder.function(plugin_contract::secret::Get::NAME, secret::get),
        }
    }
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
