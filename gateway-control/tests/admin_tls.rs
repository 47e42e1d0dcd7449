//! The Admin API over TLS, for those who show a certificate.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use gateway_control::{Control, admin::Admin};
use gateway_core::{Gateway, config::Config, server::Certificates};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key, PEM.
    fn leaf(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (leaf.pem(), key.serialize_pem())
    }
}

/// The status line of an answer to somebody who trusts `server` and shows `own`.
fn ask(address: SocketAddr, server: &Authority, own: Option<(String, String)>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let connection = ClientConnection::new(Arc::new(config), "admin.test".try_into().unwrap());
    let mut stream = StreamOwned::new(connection.unwrap(), stream);
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn only_clients_of_an_anchor_are_answered_where_there_is_one() {
    let (servers, clients, others) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("others"));
    let (cert, key) = servers.leaf("admin.test");
    let certificates = Certificates::new(&Config::default()).unwrap();
    certificates.set_default(&cert, &key).unwrap();
    let control = Arc::new(Control::new(Gateway::builder().build().unwrap()));
    let start = |certificates: &Certificates| {
        let admin = Admin::bind_tls("127.0.0.1:0".parse().unwrap(), certificates).unwrap();
        admin.start(Arc::clone(&control)).unwrap()
    };
    let open = start(&certificates);
    assert_eq!(ask(open.address().unwrap(), &servers, None).unwrap(), "HTTP/1.1 200 OK");
    let closed = start(&certificates.for_clients_of(&clients.pem).unwrap());
    let address = closed.address().unwrap();
    assert_eq!(ask(address, &servers, Some(clients.leaf("ci"))).unwrap(), "HTTP/1.1 200 OK");
    for refused in [None, Some(others.leaf("ci"))] {
        ask(address, &servers, refused).unwrap_err();
    }
    let problem = certificates.for_clients_of("no certificate").unwrap_err().to_string();
    assert!(problem.starts_with("client anchors: "), "{problem}");
}
