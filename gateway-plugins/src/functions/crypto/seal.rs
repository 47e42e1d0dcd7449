//! What is encrypted, and noticed where it has changed.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
    hkdf, rand,
};
use plugin_contract::crypto::{Cipher, Open, Seal};

use crate::{
    Call, Returned, Status,
    functions::{now, read, secret},
};

pub(super) fn seal(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Seal { cipher, key, purpose, plain, beside } = read(arguments)?;
    let key = secret::key(key, call)?.and_then(|key| kept(cipher, &key, purpose, call));
    let Some(key) = key else { return now::<Seal<'_>>(call, None) };
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| Status::InternalFailure)?;
    let mut text = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(beside), &mut text)
        .map_err(|_| Status::InternalFailure)?;
    now::<Seal<'_>>(call, Some(&[&nonce[..], &text].concat()))
}

pub(super) fn open(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Open { cipher, key, purpose, sealed, beside } = read(arguments)?;
    let key = secret::key(key, call)?.and_then(|key| kept(cipher, &key, purpose, call));
    let mut text = Vec::new();
    let plain = key.zip(sealed.split_first_chunk::<NONCE_LEN>()).and_then(|(key, (nonce, rest))| {
        text.extend_from_slice(rest);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        key.open_in_place(nonce, Aad::from(beside), &mut text).ok().map(|plain| &*plain)
    });
    now::<Open<'_>>(call, plain)
}

/// Bytes that a key must have for others to be derived from it.
const SHORTEST: usize = 16;

/// Keys of a configuration that were derived, the newest first: deriving one costs more than what it is used for.
type Derived = Mutex<Vec<Made>>;

/// What a key was derived from, and the key.
struct Made {
    cipher: Cipher,
    from: Box<[u8]>,
    purpose: Box<str>,
    key: Arc<LessSafeKey>,
}

/// Keys that one configuration keeps.
const KEPT: usize = 16;

fn kept(cipher: Cipher, from: &[u8], purpose: &str, call: &Call<'_>) -> Option<Arc<LessSafeKey>> {
    let derived: &Derived = call.configuration.kept()?;
    // Held for a comparison.
    let mut made = derived.lock().unwrap_or_else(PoisonError::into_inner);
    let is = |made: &&Made| made.cipher == cipher && *made.purpose == *purpose;
    if let Some(known) = made.iter().filter(is).find(|made| verify_slices_are_equal(&made.from, from).is_ok())
    {
        return Some(Arc::clone(&known.key));
    }
    let key = Arc::new(self::derived(cipher, from, purpose)?);
    made.truncate(KEPT - 1);
    made.insert(0, Made { cipher, from: from.into(), purpose: purpose.into(), key: Arc::clone(&key) });
    Some(key)
}

/// The key of a cipher for a purpose: no two ciphers or purposes share one.
fn derived(cipher: Cipher, key: &[u8], purpose: &str) -> Option<LessSafeKey> {
    let (algorithm, name) = match cipher {
        Cipher::Aes256Gcm => (&aead::AES_256_GCM, "aes-256-gcm:"),
        Cipher::ChaCha20Poly1305 => (&aead::CHACHA20_POLY1305, "chacha20-poly1305:"),
    };
    let key = Some(key).filter(|key| key.len() >= SHORTEST)?;
    let from = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(key);
    let what_for = [b"gateway.crypto.seal:".as_slice(), name.as_bytes(), purpose.as_bytes()];
    let key = from.expand(&what_for, algorithm).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}
