//! Cryptography, done by the gateway: keys of credentials and secrets never come here.
//!
//! ```no_run
//! # use plugin_sdk::prelude::*;
//! use plugin_sdk::crypto::{self, Hash, Key};
//!
//! # fn doc(credential: plugin_sdk::consumer::Id, data: &[u8], mac: &[u8]) -> Result<bool, Error> {
//! crypto::verify_mac(Hash::Sha256, Key::Credential { id: credential, field: "secret" }, data, mac)
//! # }
//! ```

use plugin_contract::{
    Id,
    crypto::{Digest, VerifyMac, VerifyPassword},
};

use crate::{Error, call};

pub use plugin_contract::crypto::{Hash, Key};

/// The hash of some bytes.
///
/// # Errors
/// A host without cryptography.
pub fn digest(hash: Hash, data: &[u8]) -> Result<Vec<u8>, Error> {
    call::now(&Digest { hash, data }, <[u8]>::to_vec)
}

/// Whether an authentication code (HMAC, RFC 2104) is the right one, compared in constant time; not where there is no
/// such key.
///
/// # Errors
/// As for [`digest`], and for MD5.
pub fn verify_mac(hash: Hash, key: Key<'_>, data: &[u8], mac: &[u8]) -> Result<bool, Error> {
    call::now(&VerifyMac { hash, key, data, mac }, |same| same)
}

/// Whether this is the password of a basic-auth credential, however it is kept. Slow hashes are waited for.
///
/// # Errors
/// As for [`digest`].
pub async fn verify_password(credential: Id, password: &str) -> Result<bool, Error> {
    call::later(&VerifyPassword { credential, password }, |same| same).await
}
