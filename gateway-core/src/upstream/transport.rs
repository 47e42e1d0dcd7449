//! How endpoints are spoken to: in clear, or over TLS with these anchors and this certificate.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{flaw::flaw, verify};
use crate::{
    config::{CaCertificate, Certificate},
    error::BoxError,
};

/// What a connection to an endpoint speaks. Connections are pooled by it: two services that
/// differ in any TLS setting never share one.
///
/// ```
/// use gateway_core::upstream::{TlsSettings, Transport};
///
/// assert_eq!(Transport::clear(), Transport::clear());
///
/// let unverified = TlsSettings { verify: false, ..TlsSettings::default() };
/// let transport = Transport::tls(&unverified).unwrap();
/// assert_eq!(transport, transport.clone());
/// assert_ne!(transport, Transport::tls(&unverified).unwrap(), "each has connections of its own");
/// ```
#[derive(Clone)]
pub struct Transport {
    id: u64,
    tls: Option<Arc<ClientConfig>>,
    http2: bool,
}

/// The TLS settings of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSettings {
    /// Whether the endpoint's certificate is verified.
    pub verify: bool,
    /// Most intermediate certificates accepted between the endpoint's and an anchor.
    pub depth: Option<u16>,
    /// Trust anchors; empty: the system's.
    pub anchors: Vec<Arc<CaCertificate>>,
    /// The certificate shown to the endpoint.
    pub client: Option<Arc<Certificate>>,
}

/// Verified by the system's anchors, whatever the length of the chain; no certificate shown.
impl Default for TlsSettings {
    fn default() -> Self {
        Self { verify: true, depth: None, anchors: Vec::new(), client: None }
    }
}

impl TlsSettings {
    /// The same for rustls, without a word on what is spoken over TLS: for clients of other protocols.
    ///
    /// # Errors
    /// If a certificate or key does not parse, or the two do not belong together.
    pub fn client_config(&self) -> Result<ClientConfig, BoxError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let verifier = if self.verify {
            verify::by_anchors(&self.anchors, self.depth, provider)?
        } else {
            verify::by_signature_alone(&provider)
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some(certificate) = &self.client else { return Ok(builder.with_no_client_auth()) };
        let chain = CertificateDer::pem_slice_iter(certificate.cert.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())?;
        builder.with_client_auth_cert(chain, key).map_err(|error| match error {
            rustls::Error::InvalidCertificate(error) => {
                format!("the certificate that is shown cannot be read: {}", flaw(&error)).into()
            }
            other => other.into(),
        })
    }
}

impl Transport {
    /// HTTP/1.1 in clear.
    #[must_use]
    pub const fn clear() -> Self {
        Self { id: 0, tls: None, http2: false }
    }

    /// HTTP/2 in clear, which the endpoint is known to speak (RFC 9113 section 3.3): Kong's protocol `grpc`.
    #[must_use]
    pub const fn clear_http2() -> Self {
        Self { id: 1, tls: None, http2: true }
    }

    /// HTTP/1.1 over TLS.
    ///
    /// # Errors
    /// If a certificate or key does not parse, or the two do not belong together.
    pub fn tls(settings: &TlsSettings) -> Result<Self, BoxError> {
        Self::over_tls(settings, false)
    }

    /// HTTP/2 over TLS: Kong's protocol `grpcs`. An endpoint that does not choose it (ALPN `h2`) is not spoken to.
    ///
    /// # Errors
    /// If a certificate or key does not parse, or the two do not belong together.
    pub fn tls_http2(settings: &TlsSettings) -> Result<Self, BoxError> {
        Self::over_tls(settings, true)
    }

    fn over_tls(settings: &TlsSettings, http2: bool) -> Result<Self, BoxError> {
        static NEXT: AtomicU64 = AtomicU64::new(2);
        let mut config = settings.client_config()?;
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), tls: Some(Arc::new(config)), http2 })
    }

    /// Whether HTTP/2 is spoken.
    #[must_use]
    pub const fn is_http2(&self) -> bool {
        self.http2
    }

    /// The word that pooled connections are told apart by.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// TLS, unless in clear.
    pub(crate) const fn config(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Transport {}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Transport");
        text.field("id", &self.id).field("tls", &self.tls.is_some()).field("http2", &self.http2).finish()
    }
}
