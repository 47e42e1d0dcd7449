//! The handshake: what is spoken, what it settled, why it failed.

use std::{io, sync::Arc};

use rustls::{
    ProtocolVersion, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ResolvesServerCert, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use super::counters::Refusal;
use crate::{TlsInfo, upstream::handshake_failure};

pub(super) fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

pub(super) fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    // Tickets that hold the session themselves: no cache, no lock, and one key for all workers.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// What the handshake settled.
pub(super) fn info(connection: &ServerConnection) -> TlsInfo {
    TlsInfo {
        sni: connection.server_name().map(Arc::from),
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        version: connection.protocol_version().and_then(|version| match version {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }),
        cipher: connection.negotiated_cipher_suite().and_then(|suite| iana(suite.suite())),
    }
}

/// rustls marks the suites of TLS 1.3 in their names; IANA does not.
fn iana(suite: rustls::CipherSuite) -> Option<&'static str> {
    match suite {
        rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
        rustls::CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
        rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
        suite => suite.as_str(),
    }
}

/// Why a handshake failed, for people.
pub(super) fn told(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    cause.map_or_else(|| error.to_string(), handshake_failure)
}

/// Why a handshake failed.
pub(super) fn refusal(error: &io::Error) -> Refusal {
    use rustls::Error;
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Refusal::Incompatible,
        Some(Error::AlertReceived(_)) => Refusal::ClientAlert,
        // The resolver found none; rustls has no error of its own for that.
        Some(Error::General(_)) => Refusal::NoCertificate,
        Some(_) => Refusal::BadHandshake,
        None => Refusal::HandshakeClosed,
    }
}
