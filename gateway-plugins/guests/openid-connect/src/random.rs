//! Texts that nobody can foresee, and texts that stand for others.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plugin_sdk::{
    crypto::{self, Hash},
    prelude::*,
};

/// 256 random bits, in letters that a URL can have.
pub(crate) fn text() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(crypto::random(32)?))
}

/// The SHA-256 of a text, likewise: what stands for it where it must not be seen.
pub(crate) fn digest(text: &str) -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(crypto::digest(Hash::Sha256, text.as_bytes())?))
}
