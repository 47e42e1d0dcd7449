//! Keys that verify tokens, each for the algorithms that it is for.

use aws_lc_rs::{hmac, signature::ParsedPublicKey};
use plugin_contract::jwt::{Algorithm, Refusal};

use super::{Refused, token::Token};
use crate::functions::public_key::public_key;

/// A key for one algorithm.
pub(super) enum Key {
    Mac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

/// A key for each algorithm that it is for.
pub(super) struct Uses(Vec<(Algorithm, Key)>);

impl Uses {
    /// A public key of a scheme that is among `allowed`; for none where it is none of them.
    pub(super) fn public(bytes: &[u8], allowed: &[Algorithm]) -> Self {
        let key = |algorithm: &Algorithm| match algorithm {
            Algorithm::Signed(scheme) => Some((*algorithm, Key::Public(public_key(*scheme, bytes)?))),
            _ => None,
        };
        Self(allowed.iter().filter_map(key).collect())
    }

    /// A secret; for none where it is empty, or a public key by mistake (RFC 8725, section 2.1).
    pub(super) fn shared(bytes: &[u8], allowed: &[Algorithm]) -> Self {
        let is_public = bytes.windows(11).any(|part| part == b"-----BEGIN ");
        let usable = !bytes.is_empty() && !is_public;
        let key = |algorithm: &Algorithm| {
            let hmac = match algorithm {
                Algorithm::Hs256 => hmac::HMAC_SHA256,
                Algorithm::Hs384 => hmac::HMAC_SHA384,
                Algorithm::Hs512 => hmac::HMAC_SHA512,
                Algorithm::Signed(_) => return None,
            };
            Some((*algorithm, Key::Mac(Box::new(hmac::Key::new(hmac, bytes)))))
        };
        Self(allowed.iter().filter(|_| usable).filter_map(key).collect())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, algorithm: Algorithm) -> Option<&Key> {
        self.0.iter().find(|(own, _)| *own == algorithm).map(|(_, key)| key)
    }
}

impl Key {
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<(), Refused> {
        let good = match self {
            Self::Mac(key) => hmac::verify(key, token.signed, &token.signature).is_ok(),
            Self::Public(key) => key.verify_sig(token.signed, &token.signature).is_ok(),
        };
        if good { Ok(()) } else { Err(Refusal::Signature) }
    }
}

/// Several keys, by their ids.
pub(super) struct Set {
    /// Tells it from those before and after.
    pub(super) generation: u64,
    pub(super) keys: Vec<(Option<String>, Uses)>,
}

/// Bytes of a key's id.
const LONGEST: usize = 256;

impl Set {
    /// The key that a token names, or the only one for its algorithm. An id is the same to the letter, and nothing
    /// else is done with it.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, Refused> {
        let Some(id) = id else {
            let mut fit = self.keys.iter().filter_map(|(_, uses)| uses.get(algorithm));
            return match (fit.next(), fit.next()) {
                (Some(key), None) => Ok(key),
                _ => Err(Refusal::NoKey),
            };
        };
        let mut named = self.keys.iter().filter(|(own, _)| own.as_deref() == Some(id)).peekable();
        if id.len() > LONGEST || named.peek().is_none() {
            return Err(Refusal::NoKey);
        }
        named.find_map(|(_, uses)| uses.get(algorithm)).ok_or(Refusal::Algorithm)
    }
}
