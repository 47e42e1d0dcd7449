use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer,
    signature::{EcdsaKeyPair, KeyPair},
};
use plugin_contract::crypto::{
    Cipher, Digest, Equal, Hash, Key, Mac, Open, Password, Random, Scheme, Seal, Sign, Verify, VerifyMac,
    VerifyPassword,
};

use super::{
    equal, hash, mac, password, random,
    seal::{open, seal},
    sign::{sign, verify},
    verify_mac,
};
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
        let other = if cipher == Cipher::Aes256Gcm { Cipher::ChaCha20Poly1305 } else { Cipher::Aes256Gcm };
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
            let username = &format!("u{digit}");
            let found = plugin.ask(password::verify, &VerifyPassword { username, password }).await.unwrap();
            let expected = Password { credential: [digit; 16], known: true, good };
            assert_eq!(answer::<Password>(&found), expected, "{digit} {password}");
        }
    }
    for (username, password, known) in
        [("u2", "194d6c2efd020c5a814db703562e996c00962b98", true), ("u9", "password", false), ("", "", false)]
    {
        let found = plugin.ask(password::verify, &VerifyPassword { username, password }).await.unwrap();
        let Password { known: is_known, good, .. } = answer(&found);
        assert_eq!((is_known, good), (known, false), "{username}");
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
    plugin.torment(password::verify, &VerifyPassword { username: "u", password: "p" }).await;
}
