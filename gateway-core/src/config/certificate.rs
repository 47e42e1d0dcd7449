//! Certificates, the names they serve, and trust anchors.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reference, derived_id, schema::digest_of};

/// A certificate chain and its key, PEM. `Debug` leaves the keys out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Certificate {
    /// A chain and its key, both PEM. The identity comes from the chain.
    #[must_use]
    pub fn new(cert: &str, key: &str) -> Self {
        Self {
            id: derived_id("certificates", cert),
            cert: cert.to_owned(),
            key: key.to_owned(),
            cert_alt: None,
            key_alt: None,
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut certificate = f.debug_struct("Certificate");
        certificate.field("id", &self.id).field("cert", &self.cert).field("cert_alt", &self.cert_alt);
        certificate.field("tags", &self.tags).finish_non_exhaustive()
    }
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

impl CaCertificate {
    /// An anchor, PEM. The identity comes from its text. Text that is no certificate is refused, with its
    /// place, by the gateway that is built or reloaded with it.
    #[must_use]
    pub fn new(cert: &str) -> Self {
        Self {
            id: derived_id("ca_certificates", cert),
            cert: cert.to_owned(),
            cert_digest: digest_of(cert).unwrap_or_default(),
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    /// The anchors of a bundle, PEM, in its order; none of a text without any.
    #[must_use]
    pub fn bundle(text: &str) -> Vec<Self> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        let ends = |rest: &str| rest.find("-----BEGIN").unwrap_or(rest.len());
        let each = text.split(BEGIN).skip(1).map(|rest| rest.get(..ends(rest)).unwrap_or(rest));
        each.map(|rest| Self::new(&format!("{BEGIN}{rest}"))).collect()
    }
}
