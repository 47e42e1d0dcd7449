//! How endpoints are spoken to: in clear, or over TLS with these anchors and this certificate.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

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

impl Transport {
    /// HTTP in clear.
    #[must_use]
    pub const fn clear() -> Self {
        Self { id: 0, tls: None }
    }

    /// HTTP over TLS.
    ///
    /// # Errors
    /// If a certificate or key does not parse, or the two do not belong together.
    pub fn tls(settings: &TlsSettings) -> Result<Self, BoxError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let config = Arc::new(client_config(settings)?);
        Ok(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), tls: Some(config) })
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
        f.debug_struct("Transport").field("id", &self.id).field("tls", &self.tls.is_some()).finish()
    }
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig, BoxError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier = verifier(settings, &provider)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &settings.client {
        Some(certificate) => {
            let chain =
                CertificateDer::pem_slice_iter(certificate.cert.as_bytes()).collect::<Result<_, _>>()?;
            let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())?;
            builder.with_client_auth_cert(chain, key)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BoxError> {
    if !settings.verify {
        return Ok(Arc::new(Unverified(Arc::clone(provider))));
    }
    let anchors =
        if settings.anchors.is_empty() { system_anchors() } else { own_anchors(&settings.anchors)? };
    let inner = WebPkiServerVerifier::builder_with_provider(anchors, Arc::clone(provider)).build()?;
    Ok(match settings.depth {
        Some(depth) => Arc::new(Shallow { inner, depth: usize::from(depth) }),
        None => inner,
    })
}

fn own_anchors(anchors: &[Arc<CaCertificate>]) -> Result<Arc<RootCertStore>, BoxError> {
    let mut store = RootCertStore::empty();
    for anchor in anchors {
        store.add(CertificateDer::from_pem_slice(anchor.cert.as_bytes())?)?;
    }
    Ok(Arc::new(store))
}

/// The system's anchors, read once a process. Those that do not parse are left out, as
/// every TLS library does with them.
fn system_anchors() -> Arc<RootCertStore> {
    static STORE: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    };
    Arc::clone(STORE.get_or_init(read))
}

/// Checks the handshake's signatures, not who made the certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Refuses chains with more intermediates than `depth` (Kong's `tls_verify_depth`).
#[derive(Debug)]
struct Shallow {
    inner: Arc<WebPkiServerVerifier>,
    depth: usize,
}

impl ServerCertVerifier for Shallow {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if intermediates.len() > self.depth {
            return Err(rustls::CertificateError::UnknownIssuer.into());
        }
        self.inner.verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
