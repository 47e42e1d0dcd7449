//! Certificates and keys.

use aws_lc_rs::digest;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::Value;

use super::text;

/// A chain of certificates, PEM. What it certifies is a matter of the TLS room.
pub(in crate::config::schema) fn certificate(value: &Value) -> Result<(), String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text(value).as_bytes()).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("invalid certificate: no PEM certificate found".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("invalid certificate: {error}")),
    }
}

/// A private key, PEM.
pub(in crate::config::schema) fn key(value: &Value) -> Result<(), String> {
    PrivateKeyDer::from_pem_slice(text(value).as_bytes())
        .map(drop)
        .map_err(|error| format!("invalid key: {error}"))
}

/// SHA-256 of the DER form of the first certificate, hexadecimal.
pub(in crate::config) fn digest_of(pem: &str) -> Option<String> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let digest = digest::digest(&digest::SHA256, &certificate);
    Some(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}
