//! Signatures.

use std::borrow::Cow;

use aws_lc_rs::{
    rand, rsa,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaSignatureEncoding,
    },
};
use bytes::Bytes;
use plugin_contract::{
    crypto::{Scheme, Sign, Verify},
    encode,
};

use crate::{
    Call, Returned, Status,
    functions::{
        now,
        public_key::{pem, public_key},
        read, secret,
    },
};

/// On a thread where it may take its time: a signature of RSA costs a millisecond.
pub(super) fn sign(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
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

pub(super) fn verify(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Verify { scheme, key, data, signature } = read(arguments)?;
    let key = secret::key(key, call)?.and_then(|key| public_key(scheme, &key));
    now::<Verify<'_>>(call, key.is_some_and(|key| key.verify_sig(data, signature).is_ok()))
}
