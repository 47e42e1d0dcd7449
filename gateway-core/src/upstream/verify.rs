//! Who an endpoint may say it is.

use std::sync::{Arc, OnceLock};

use rustls::{
    DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::{config::CaCertificate, error::BoxError};

/// Believes certificates that lead to one of `anchors`, or of the system's where there are none, over
/// at most `depth` intermediates.
pub(super) fn by_anchors(
    anchors: &[Arc<CaCertificate>],
    depth: Option<u16>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BoxError> {
    let anchors = if anchors.is_empty() { system_anchors() } else { own_anchors(anchors)? };
    let algorithms = provider.signature_verification_algorithms;
    let inner = WebPkiServerVerifier::builder_with_provider(anchors, provider).build()?;
    let Some(depth) = depth else { return Ok(inner) };
    let chain = Chain::Short { inner, depth: usize::from(depth) };
    Ok(Arc::new(Verifier { chain, algorithms }))
}

/// Believes any certificate whose key signs the handshake.
pub(super) fn by_signature_alone(provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier { chain: Chain::Any, algorithms: provider.signature_verification_algorithms })
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

/// Checks the handshake's signatures as rustls does, and who made the certificate as far as `chain` says.
#[derive(Debug)]
struct Verifier {
    chain: Chain,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Chain {
    /// Whoever made it.
    Any,
    /// What `inner` believes, with at most `depth` intermediates (Kong's `tls_verify_depth`).
    Short { inner: Arc<WebPkiServerVerifier>, depth: usize },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.chain {
            Chain::Any => Ok(ServerCertVerified::assertion()),
            Chain::Short { depth, .. } if intermediates.len() > *depth => {
                Err(rustls::CertificateError::UnknownIssuer.into())
            }
            Chain::Short { inner, .. } => inner.verify_server_cert(leaf, intermediates, name, ocsp, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
