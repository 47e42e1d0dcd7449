//! A gateway between raw sockets: an upstream that writes down every byte it is sent, the gateway behind its
//! own server, and clients that send what they like.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test uses its own part")]

mod client;
mod custom;
mod edge;
mod ends;
mod reading;
mod seen;
mod upstream;

use std::{sync::Arc, time::Duration};

use gateway_core::{config::Config, server::Certificates};

pub use self::{
    client::{Answer, Client},
    custom::Custom,
    edge::{Edge, Setup, everything_to},
    ends::{End, Ends},
    seen::Seen,
    upstream::{Answers, SLOW, Upstream, answer, ok},
};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A certificate for `localhost`, and a client that trusts it and offers `alpn`.
pub fn tls(alpn: &[&str]) -> (Certificates, tokio_rustls::TlsConnector) {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificates = Certificates::new(&Config::default()).unwrap();
    certificates.set_default(&pair.cert.pem(), &pair.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (certificates, tokio_rustls::TlsConnector::from(Arc::new(client)))
}

/// Waits until `done`, within the patience.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
