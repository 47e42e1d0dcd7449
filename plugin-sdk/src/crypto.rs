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

use plugin_contract::crypto::{Digest, Equal, Mac, Open, Random, Seal, Sign, VerifyMac, VerifyPassword};

use crate::{Error, call};

pub use plugin_contract::crypto::{Cipher, Hash, Key, Password, Scheme};

/// The hash of some bytes.
///
/// # Errors
/// A host without cryptography.
pub fn digest(hash: Hash, data: &[u8]) -> Result<Vec<u8>, Error> {
    call::now(&Digest { hash, data }, <[u8]>::to_vec)
}

/// An authentication code (HMAC, RFC 2104); nothing where there is no such key.
///
/// # Errors
/// As for [`digest`], and for MD5.
pub fn mac(hash: Hash, key: Key<'_>, data: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    call::now(&Mac { hash, key, data }, |code| code.map(<[u8]>::to_vec))
}

/// Whether an authentication code (HMAC, RFC 2104) is the right one, compared in constant time; not where there is no
/// such key.
///
/// # Errors
/// As for [`digest`], and for MD5.
pub fn verify_mac(hash: Hash, key: Key<'_>, data: &[u8], mac: &[u8]) -> Result<bool, Error> {
    call::now(&VerifyMac { hash, key, data, mac }, |same| same)
}

/// Whether this is the password of whoever has this user name, by a basic-auth credential, however it is kept. Slow hashes are
/// waited for. A name that nobody has takes as long as one that somebody has, where all passwords are kept alike.
///
/// # Errors
/// As for [`digest`].
pub async fn verify_password(username: &str, password: &str) -> Result<Password, Error> {
    call::later(&VerifyPassword { username, password }, |password| password).await
}

/// Whether two texts are the same, in a time that only depends on their lengths.
///
/// # Errors
/// As for [`digest`].
pub fn equal(a: &[u8], b: &[u8]) -> Result<bool, Error> {
    call::now(&Equal { a, b }, |same| same)
}

/// So many random bytes that nobody can foresee: 1 to 1024.
///
/// # Errors
/// As for [`digest`], and for another number.
pub fn random(length: u32) -> Result<Vec<u8>, Error> {
    call::now(&Random { length }, <[u8]>::to_vec)
}

/// Signs with a private key (PKCS #8, as DER or as PEM): nothing where there is no such key, or it is none for the
/// scheme.
///
/// # Errors
/// As for [`digest`].
pub async fn sign(scheme: Scheme, key: Key<'_>, data: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    call::later(&Sign { scheme, key, data }, |signature| signature.map(<[u8]>::to_vec)).await
}

/// Encrypts, so that changes are noticed, under a key that is derived from another one and from what it is for. What is
/// `beside` is not encrypted, but must be the same for [`open`]. Nothing where there is no such key, or it is shorter
/// than 16 bytes.
///
/// # Errors
/// As for [`digest`].
pub fn seal(key: Key<'_>, purpose: &str, plain: &[u8], beside: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let cipher = Cipher::Aes256Gcm;
    call::now(&Seal { cipher, key, purpose, plain, beside }, |sealed| sealed.map(<[u8]>::to_vec))
}

/// What [`seal`] encrypted, read where it lies: nothing where it was changed, or made with anything else.
///
/// # Errors
/// As for [`digest`].
pub fn open<R>(
    key: Key<'_>,
    purpose: &str,
    sealed: &[u8],
    beside: &[u8],
    read: impl FnOnce(Option<&[u8]>) -> R,
) -> Result<R, Error> {
    let cipher = Cipher::Aes256Gcm;
    call::now(&Open { cipher, key, purpose, sealed, beside }, read)
}
