//! Keys as they are written: PEM, and the schemes that they are for.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::{Engine, engine::general_purpose::STANDARD};
use plugin_contract::crypto::Scheme;

/// A public key for a scheme: `SubjectPublicKeyInfo` or `RSAPublicKey`, as DER or as PEM; nothing where it is none.
pub(super) fn public_key(scheme: Scheme, bytes: &[u8]) -> Option<ParsedPublicKey> {
    match pem(bytes, &["PUBLIC KEY", "RSA PUBLIC KEY"]) {
        Some(der) => ParsedPublicKey::new(algorithm(scheme), der).ok(),
        None => ParsedPublicKey::new(algorithm(scheme), bytes).ok(),
    }
}

/// What a signature of this scheme is verified by.
pub(super) fn algorithm(scheme: Scheme) -> &'static dyn VerificationAlgorithm {
    match scheme {
        Scheme::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Scheme::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Scheme::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Scheme::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Scheme::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Scheme::EdDsa => &signature::ED25519,
    }
}

/// What stands in a PEM text (RFC 7468) under one of `labels`; nothing where it is no such text.
pub(super) fn pem(bytes: &[u8], labels: &[&str]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (base64, _) = rest.split_once(&format!("-----END {label}-----"))?;
    if !labels.contains(&label) {
        return None;
    }
    let base64: String = base64.split_ascii_whitespace().collect();
    STANDARD.decode(base64).ok()
}
