//! Cryptography, with keys that stay here.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
    digest, hkdf, hmac, rand, rsa,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaSignatureEncoding,
    },
};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use plugin_contract::{
    Call as _,
    crypto::{
        Cipher, Digest, Equal, Hash, Key, Mac, Open, Random, Scheme, Seal, Sign, Verify, VerifyMac,
        VerifyPassword,
    },
    encode,
};

use super::{
    now, password,
    public_key::{pem, public_key},
    read, secret,
};
use crate::{Call, Returned, Status, services::Services};

pub(super) fn register(services: &mut Services) {
    services.add(Digest::NAME, Arc::new(hash));
    services.add(Mac::NAME, Arc::new(mac));
    services.add(VerifyMac::NAME, Arc::new(verify_mac));
    services.add(Equal::NAME, Arc::new(equal));
    services.add(Random::NAME, Arc::new(random));
    services.add(Sign::NAME, Arc::new(sign));
    services.add(Verify::NAME, Arc::new(verify));
    services.add(Seal::NAME, Arc::new(seal));
    services.add(Open::NAME, Arc::new(open));
    services.add(VerifyPassword::NAME, Arc::new(password::verify));
}

fn hash(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Digest { hash, data } = read(arguments)?;
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
        Hash::Md5 => return now::<Digest<'_>>(call, &Md5::digest(data)),
    };
    now::<Digest<'_>>(call, digest::digest(algorithm, data).as_ref())
}

fn mac(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Mac { hash, key, data } = read(arguments)?;
    let tag = mac_key(hash, key, call)?.map(|key| hmac::sign(&key, data));
    now::<Mac<'_>>(call, tag.as_ref().map(AsRef::as_ref))
}

fn verify_mac(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let VerifyMac { hash, key, data, mac } = read(arguments)?;
    let key = mac_key(hash, key, call)?;
    now::<VerifyMac<'_>>(call, key.is_some_and(|key| hmac::verify(&key, data, mac).is_ok()))
}

fn mac_key(hash: Hash, key: Key<'_>, call: &Call<'_>) -> Result<Option<hmac::Key>, Status> {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
        Hash::Md5 => return Err(Status::BadArgument),
    };
    Ok(secret::key(key, call)?.map(|key| hmac::Key::new(algorithm, &key)))
}

fn equal(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Equal { a, b } = read(arguments)?;
    now::<Equal<'_>>(call, verify_slices_are_equal(a, b).is_ok())
}

/// Random bytes of one call.
const RANDOM: usize = 1024;

fn random(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Random { length } = read(arguments)?;
    let mut bytes = [0; RANDOM];
    let length = usize::try_from(length).map_err(|_| Status::BadArgument)?;
    let bytes = bytes.get_mut(..length).filter(|bytes| !bytes.is_empty()).ok_or(Status::BadArgument)?;
    rand::fill(bytes).map_err(|_| Status::InternalFailure)?;
    now::<Random>(call, bytes)
}

/// On a thread where it may take its time: a signature of RSA costs a millisecond.
fn sign(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Sign { scheme, key, data } = read(arguments)?;
    let (key, data) = (secret::key(key, call)?.map(Cow::into_owned), data.to_vec());
    Ok(Returned::Later(Box::pin(async move {
        let signed = tokio::task::spawn_blocking(move || signature(scheme, &key?, &data)).await;
        let signed = signed.ok().flatten();
        let answer: <Sign<'_> as plugin_contract::Call>::Answer<'_> = signed.as_deref();
        Bytes::from(encode(&answer, Vec::new()).unwrap_or_default())
    })))
}

fn signature(scheme: Scheme, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let of_pem = pem(key, &["PRIVATE KEY"]);
    let key = of_pem.as_deref().unwrap_or(key);
    match scheme {
        Scheme::Rs256 => by_rsa(&signature::RSA_PKCS1_SHA256, key, data),
        Scheme::Rs384 => by_rsa(&signature::RSA_PKCS1_SHA384, key, data),
        Scheme::Rs512 => by_rsa(&signature::RSA_PKCS1_SHA512, key, data),
        Scheme::Ps256 => by_rsa(&signature::RSA_PSS_SHA256, key, data),
        Scheme::Ps384 => by_rsa(&signature::RSA_PSS_SHA384, key, data),
        Scheme::Ps512 => by_rsa(&signature::RSA_PSS_SHA512, key, data),
        Scheme::Es256 => by_ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, key, data),
        Scheme::Es384 => by_ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, key, data),
        Scheme::Es512 => by_ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, key, data),
        Scheme::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).ok()?;
            Some(pair.sign(data).as_ref().to_vec())
        }
    }
}

fn by_rsa(encoding: &'static RsaSignatureEncoding, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let pair = rsa::KeyPair::from_pkcs8(key).ok()?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let encoding: &'static dyn RsaEncoding = encoding;
    pair.sign(encoding, &rand::SystemRandom::new(), data, &mut signature).ok()?;
    Some(signature)
}

fn by_ecdsa(algorithm: &'static EcdsaSigningAlgorithm, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, key).ok()?;
    Some(pair.sign(&rand::SystemRandom::new(), data).ok()?.as_ref().to_vec())
}

fn verify(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Verify { scheme, key, data, signature } = read(arguments)?;
    let key = secret::key(key, call)?.and_then(|key| public_key(scheme, &key));
    now::<Verify<'_>>(call, key.is_some_and(|key| key.verify_sig(data, signature).is_ok()))
}

fn seal(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
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

fn open(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::{
        encoding::AsDer,
        signature::{EcdsaKeyPair, KeyPair},
    };
    use plugin_contract::crypto::{
        Cipher, Digest, Equal, Hash, Key, Mac, Open, Random, Scheme, Seal, Sign, Verify, VerifyMac,
        VerifyPassword,
    };

    use super::{equal, hash, mac, open, password, random, seal, sign, verify, verify_mac};
    use crate::{
        Secrets, Status,
        functions::testing::{Plugin, answer},
    };

    fn bytes(digits: &str) -> Vec<u8> {
        (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[tokio::test]
    async fn hashes_are_those_of_their_standards() {
        // FIPS 180-2, appendices A to D, and RFC 1321, appendix A.5.
        for (hash, digits) in [
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        ] {
            let found = Plugin::default().ask(super::hash, &Digest { hash, data: b"abc" }).await.unwrap();
            assert_eq!(answer::<&[u8]>(&found), bytes(digits), "{hash:?}");
        }
        for (hash, length) in [(Hash::Sha384, 48), (Hash::Sha512, 64)] {
            let found = Plugin::default().ask(super::hash, &Digest { hash, data: b"" }).await.unwrap();
            assert_eq!(answer::<&[u8]>(&found).len(), length);
        }
    }

    #[tokio::test]
    async fn codes_are_those_of_rfc_4231() {
        let plugin = Plugin::default();
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                      9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        let data = b"what do ya want for nothing?";
        for (hash, digits) in [(Hash::Sha256, sha256), (Hash::Sha512, sha512)] {
            let call = Mac { hash, key: Key::Bytes(b"Jefe"), data };
            let found = plugin.ask(mac, &call).await.unwrap();
            assert_eq!(answer::<Option<&[u8]>>(&found), Some(&bytes(digits)[..]));
            let mut code = bytes(digits);
            for expected in [true, false] {
                let call = VerifyMac { hash, key: Key::Bytes(b"Jefe"), data, mac: &code };
                assert_eq!(answer::<bool>(&plugin.ask(verify_mac, &call).await.unwrap()), expected);
                code[3] ^= 1;
            }
            // A code that is cut is none.
            let call = VerifyMac { hash, key: Key::Bytes(b"Jefe"), data, mac: &bytes(digits)[..16] };
            assert!(!answer::<bool>(&plugin.ask(verify_mac, &call).await.unwrap()));
        }
        let call = Mac { hash: Hash::Md5, key: Key::Bytes(b"k"), data };
        assert_eq!(plugin.ask(mac, &call).await.unwrap_err(), Status::BadArgument);
    }

    struct Fixed;

    impl Secrets for Fixed {
        fn get(&self, reference: &str) -> Option<Vec<u8>> {
            (reference == "vault://env/key").then(|| b"Jefe".to_vec())
        }
    }

    #[tokio::test]
    async fn a_key_may_be_one_that_the_plugin_never_sees() {
        let mut plugin = Plugin::default();
        plugin.serve(
            "{_format_version: '3.0', consumers: [{username: a, hmacauth_credentials: \
             [{id: 11111111-1111-1111-1111-111111111111, username: u, secret: Jefe}]}]}",
        );
        plugin.sources.secrets = Arc::new(Fixed);
        plugin.grants.secrets = vec!["{vault://env/k*}".into()];
        let call = |key| Mac { hash: Hash::Sha256, key, data: b"x" };
        let known = plugin.ask(mac, &call(Key::Bytes(b"Jefe"))).await.unwrap();
        let credential = |id, field| Key::Credential { id, field };
        for key in [credential([0x11; 16], "secret"), Key::Secret("{vault://env/key}")] {
            assert_eq!(plugin.ask(mac, &call(key)).await.unwrap(), known, "{key:?}");
        }
        let none =
            [credential([0x11; 16], "other"), credential([0; 16], "secret"), Key::Secret("vault://env/keys")];
        for key in none {
            assert_eq!(answer::<Option<&[u8]>>(&plugin.ask(mac, &call(key)).await.unwrap()), None, "{key:?}");
        }
        let refused = plugin.ask(mac, &call(Key::Secret("{vault://env/other}"))).await;
        assert_eq!(refused.unwrap_err(), Status::BadArgument);
    }

    #[tokio::test]
    async fn texts_are_the_same_or_not() {
        for (a, b, same) in [("ab", "ab", true), ("ab", "ac", false), ("ab", "abc", false), ("", "", true)] {
            let call = Equal { a: a.as_bytes(), b: b.as_bytes() };
            assert_eq!(answer::<bool>(&Plugin::default().ask(equal, &call).await.unwrap()), same);
        }
    }

    #[tokio::test]
    async fn random_bytes_are_as_many_as_asked_for() {
        let plugin = Plugin::default();
        let one = plugin.ask(random, &Random { length: 32 }).await.unwrap();
        let other = plugin.ask(random, &Random { length: 32 }).await.unwrap();
        assert_eq!(answer::<&[u8]>(&one).len(), 32);
        assert_ne!(one, other);
        for length in [0, 1025, u32::MAX] {
            assert_eq!(plugin.ask(random, &Random { length }).await.unwrap_err(), Status::BadArgument);
        }
    }

    #[tokio::test]
    async fn what_is_sealed_opens_with_the_same_words_only() {
        let plugin = Plugin::default();
        for cipher in [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
            let key = Key::Bytes(b"0123456789abcdef");
            let call = Seal { cipher, key, purpose: "session", plain: b"alice", beside: b"v1" };
            let sealed = plugin.ask(seal, &call).await.unwrap();
            let sealed = answer::<Option<&[u8]>>(&sealed).unwrap().to_vec();
            assert_eq!(sealed.len(), 12 + 5 + 16);
            let good = Open { cipher, key, purpose: "session", sealed: &sealed, beside: b"v1" };
            let opened = plugin.ask(open, &good).await.unwrap();
            assert_eq!(answer::<Option<&[u8]>>(&opened), Some(&b"alice"[..]));
            let other =
                if cipher == Cipher::Aes256Gcm { Cipher::ChaCha20Poly1305 } else { Cipher::Aes256Gcm };
            let mut bent = sealed.clone();
            bent[14] ^= 1;
            for bad in [
                Open { cipher: other, ..good },
                Open { key: Key::Bytes(b"0123456789abcdeg"), ..good },
                Open { purpose: "other", ..good },
                Open { beside: b"v2", ..good },
                Open { sealed: &bent, ..good },
                Open { sealed: &sealed[..27], ..good },
                Open { sealed: b"", ..good },
            ] {
                assert_eq!(answer::<Option<&[u8]>>(&plugin.ask(open, &bad).await.unwrap()), None, "{bad:?}");
            }
            let short = Seal { key: Key::Bytes(b"too short"), ..call };
            assert_eq!(answer::<Option<&[u8]>>(&plugin.ask(seal, &short).await.unwrap()), None);
        }
    }

    #[tokio::test]
    async fn signatures_are_those_of_rfc_8032() {
        // Section 7.1, test 2.
        let public = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let good =
            Verify { scheme: Scheme::EdDsa, key: Key::Bytes(&public), data: &[0x72], signature: &signature };
        let plugin = Plugin::default();
        for (call, expected) in [
            (good, true),
            (Verify { data: &[0x73], ..good }, false),
            (Verify { scheme: Scheme::Es256, ..good }, false),
            (Verify { scheme: Scheme::Rs256, ..good }, false),
            (Verify { signature: &[0; 64], ..good }, false),
            (Verify { signature: b"", ..good }, false),
            (Verify { key: Key::Bytes(b""), ..good }, false),
        ] {
            assert_eq!(answer::<bool>(&plugin.ask(verify, &call).await.unwrap()), expected, "{call:?}");
        }
    }

    /// CVE-2022-21449
    #[tokio::test]
    async fn a_signature_of_zeros_is_none_and_a_made_one_is_good() {
        let plugin = Plugin::default();
        let random = aws_lc_rs::rand::SystemRandom::new();
        let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref()).unwrap();
        let public = pair.public_key().as_der().unwrap().as_ref().to_vec();
        let call = Sign { scheme: Scheme::Es256, key: Key::Bytes(private.as_ref()), data: b"x" };
        let signed = plugin.ask(sign, &call).await.unwrap();
        let signed = answer::<Option<&[u8]>>(&signed).unwrap();
        for (signature, good) in [(signed, true), (&[0; 64][..], false), (&signed[..63], false)] {
            let call = Verify { scheme: Scheme::Es256, key: Key::Bytes(&public), data: b"x", signature };
            assert_eq!(answer::<bool>(&plugin.ask(verify, &call).await.unwrap()), good);
        }
        for other in [Scheme::Rs256, Scheme::EdDsa, Scheme::Es384] {
            let signed = plugin.ask(sign, &Sign { scheme: other, ..call }).await.unwrap();
            assert_eq!(answer::<Option<&[u8]>>(&signed), None);
        }
    }

    #[tokio::test]
    async fn passwords_are_verified_however_they_are_kept() {
        let mut plugin = Plugin::default();
        let credential = |digit: u8, password: &str| {
            let id = uuid::Uuid::from_bytes([digit; 16]);
            format!("{{id: {id}, username: u{digit}, password: '{password}'}}")
        };
        let kept = [
            "pass word",
            // SHA-1 of `hunter2` and the consumer's id.
            "194d6c2efd020c5a814db703562e996c00962b98",
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ];
        let all: Vec<_> = (1..).zip(kept).map(|(digit, kept)| credential(digit, kept)).collect();
        plugin.serve(&format!(
            "{{_format_version: '3.0', consumers: [{{id: 11111111-1111-1111-1111-111111111111, username: a, \
             basicauth_credentials: [{}]}}]}}",
            all.join(", ")
        ));
        for (digit, password) in [(1, "pass word"), (2, "hunter2"), (3, "U*U"), (4, "password")] {
            for (password, good) in [(password, true), ("other", false), ("", false)] {
                let call = VerifyPassword { credential: [digit; 16], password };
                let found = plugin.ask(password::verify, &call).await.unwrap();
                assert_eq!(answer::<bool>(&found), good, "{digit} {password}");
            }
        }
        for (digit, password) in [(2, "194d6c2efd020c5a814db703562e996c00962b98"), (9, "x")] {
            let call = VerifyPassword { credential: [digit; 16], password };
            assert!(!answer::<bool>(&plugin.ask(password::verify, &call).await.unwrap()), "{digit}");
        }
    }

    #[tokio::test]
    async fn arguments_that_are_none_are_refused() {
        let plugin = Plugin::default();
        let key = Key::Bytes(b"0123456789abcdef");
        plugin.torment(hash, &Digest { hash: Hash::Sha256, data: b"abc" }).await;
        plugin.torment(mac, &Mac { hash: Hash::Sha256, key, data: b"abc" }).await;
        plugin.torment(verify_mac, &VerifyMac { hash: Hash::Sha256, key, data: b"a", mac: b"b" }).await;
        plugin.torment(equal, &Equal { a: b"a", b: b"b" }).await;
        plugin.torment(random, &Random { length: 300 }).await;
        plugin.torment(sign, &Sign { scheme: Scheme::Es256, key, data: b"a" }).await;
        plugin.torment(verify, &Verify { scheme: Scheme::Rs256, key, data: b"a", signature: b"b" }).await;
        let cipher = Cipher::Aes256Gcm;
        plugin.torment(seal, &Seal { cipher, key, purpose: "p", plain: b"a", beside: b"b" }).await;
        plugin.torment(open, &Open { cipher, key, purpose: "p", sealed: b"a", beside: b"b" }).await;
        plugin.torment(password::verify, &VerifyPassword { credential: [0; 16], password: "p" }).await;
    }
}
