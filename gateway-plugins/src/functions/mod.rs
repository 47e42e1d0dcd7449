//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod crypto;
mod jwt;
mod password;
mod public_key;
mod request;
mod response;
mod secret;
#[cfg(test)]
mod testing;
mod var;

pub use consumer::{Consumers, FromConfig};
pub use secret::{NodeSecrets, Secrets};

use plugin_contract::{Call as _, NOW, decode, encode};
use serde::Deserialize;

use crate::{Call, Returned, Status, plugin::Builder};

/// Functions that belong together, granted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// `gateway.consumer.*`: who calls.
    Consumer,
    /// `gateway.request.*`: the request, beyond its fields.
    Request,
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
    pub const ALL: [Self; 7] =
        [Self::Consumer, Self::Request, Self::Response, Self::Var, Self::Crypto, Self::Jwt, Self::Secret];

    /// Its word in the names of functions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Request => "request",
            Self::Response => "response",
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
            Self::Request => request::serve(builder),
            Self::Response => response::serve(builder),
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
