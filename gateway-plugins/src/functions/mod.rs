//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod crypto;
mod jwt;
mod password;
mod public_key;
mod response;
mod secret;
#[cfg(test)]
mod testing;
mod var;

pub use consumer::FromConfig;
pub use secret::NodeSecrets;

use std::sync::Arc;

use plugin_contract::{Call as _, NOW, decode, encode};
use serde::Deserialize;

use crate::{Call, Returned, Status, function::serve, services::Services, sources::Sources};

/// Functions that belong together, granted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// `gateway.consumer.*`: who calls.
    Consumer,
    /// `gateway.response.*`: what the answer will carry.
    Response,
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
    pub const ALL: [Self; 6] =
        [Self::Consumer, Self::Response, Self::Var, Self::Crypto, Self::Jwt, Self::Secret];

    /// Its word in the names of functions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Response => "response",
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
            Self::Response => serve(services, response::Headers),
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
    Services::new(Sources { upstreams: None, consumers, secrets })
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
