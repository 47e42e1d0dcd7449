//! Certificates, the names they serve, and trust anchors.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Reference;

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Certificate {
    /// Identity.
    pub id: Uuid,
    /// The chain, leaf first.
    pub cert: String,
    /// The private key.
    pub key: String,
    /// A second chain of another key type.
    pub cert_alt: Option<String>,
    /// Its private key.
    pub key_alt: Option<String>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// A TLS server name and the certificate that serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sni {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// A host name, with at most one `*` as its first or last label.
    pub name: String,
    /// The certificate.
    pub certificate: Reference,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// A trust anchor for upstream certificates, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaCertificate {
    /// Identity.
    pub id: Uuid,
    /// The certificate.
    pub cert: String,
    /// SHA-256 of its DER form, hexadecimal.
    pub cert_digest: String,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}
