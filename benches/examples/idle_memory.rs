//! What an idle connection costs, beside bare hyper with no timeouts at all:
//!
//! `cargo run --release -p gateway-benches --example idle_memory`
//!
//! For each kind 2,000 clients in a process of their own make one request and stay; the figure is the
//! growth of this process's resident memory, divided. A first round of as many connections fills the
//! allocator's and the runtime's own tables.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    reason = "a tool that nobody depends on"
)]

use std::{
    convert::Infallible,
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
};

use gateway_core::{
    Body, ConnectInfo,
    config::{Certificate, Config, Sni},
    server::{Certificates, Server, Settings},
};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

const CONNECTIONS: usize = 2_000;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["clients", kind, address] => be_clients(kind, address.parse().unwrap()),
        ["ours", kind] => println!("{:.1}", measure(kind, ours(kind))),
        ["bare", kind] => println!("{:.1}", measure(kind, bare(kind))),
        _ => print_all(),
    }
}

/// Each figure comes from a process of its own: freed memory is used again.
fn print_all() {
    println!("KiB of resident memory for each of {CONNECTIONS} idle connections");
    let measured = |who: &str, kind: &str| {
        let output = Command::new(env::current_exe().unwrap()).args([who, kind]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for kind in ["h1", "h2"] {
        println!("{kind}: {}, bare hyper {}", measured("ours", kind), measured("bare", kind));
    }
    for kind in ["tls-h1", "tls-h2"] {
        println!("{kind}: {}", measured("ours", kind));
    }
}

fn ours(kind: &str) -> SocketAddr {
    let mut settings = Settings::default();
    settings.workers = 1;
    settings.max_connections = 3 * CONNECTIONS;
    let hello = |_: &Arc<ConnectInfo>, _: Request<Body>| async { Response::new(Body::from("hello")) };
    let nowhere = ([127, 0, 0, 1], 0).into();
    let server = match kind.strip_prefix("tls-") {
        Some(_) => Server::new(settings).listen_tls(nowhere, &certificates()),
        None => Server::new(settings).listen(nowhere),
    };
    let server = server.bind().unwrap();
    let address = *server.addresses().first().unwrap();
    // The process is the server's life.
    std::mem::forget(server.start(move |_| hello).unwrap());
    address
}

fn bare(kind: &str) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let http2 = kind == "h2";
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let io = TokioIo::new(stream);
            let hello = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Body::from("hello")))
            });
            if http2 {
                tokio::spawn(conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, hello));
            } else {
                tokio::spawn(conn::http1::Builder::new().serve_connection(io, hello));
            }
        }
    };
    std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve)
    });
    address
}

fn certificates() -> Certificates {
    let pair = rcgen::generate_simple_self_signed(vec!["a".into()]).unwrap();
    let id = "51e77dc2-8f3e-4afa-9d0e-0e3bbbcfd515";
    let times = json!({ "id": id, "created_at": 0, "updated_at": 0 });
    let with = |mut more: serde_json::Value| {
        more.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        more
    };
    let certificate = with(json!({ "cert": pair.cert.pem(), "key": pair.signing_key.serialize_pem() }));
    let sni = with(json!({ "name": "*", "certificate": { "id": id } }));
    let config = Config::default()
        .with(serde_json::from_value::<Certificate>(certificate).unwrap())
        .with(serde_json::from_value::<Sni>(sni).unwrap());
    Certificates::new(&config).unwrap()
}

fn measure(kind: &str, address: SocketAddr) -> f64 {
    let clients = || {
        let mut clients = Command::new(env::current_exe().unwrap())
            .args(["clients", kind, &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(clients.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        clients
    };
    let warm = clients();
    let before = resident();
    let more = clients();
    let grown = resident() - before;
    for mut clients in [warm, more] {
        drop(clients.stdin.take());
        clients.wait().unwrap();
    }
    grown / CONNECTIONS as f64
}

/// KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Makes the connections, says so, and waits for the end of its input.
fn be_clients(kind: &str, address: SocketAddr) {
    let http2 = kind.ends_with("h2");
    let open: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            if kind.starts_with("tls") {
                Box::new(tls(stream, http2)) as Box<dyn Stream>
            } else {
                Box::new(stream)
            }
        })
        .map(|mut stream| {
            if http2 {
                ask_http2(&mut stream)
            } else {
                ask_http1(&mut stream)
            }
            stream
        })
        .collect();
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    drop(open);
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn ask_http1(stream: &mut impl Stream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    read_to(stream, b"hello");
}

fn ask_http2(stream: &mut impl Stream) {
    let head = [&[0, 0, 6, 1, 5, 0, 0, 0, 1][..], &[0x82, 0x86, 0x84, 0x01, 1, b'a']].concat();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ack = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &ack, &head].concat()).unwrap();
    read_to(stream, b"hello");
}

fn read_to(stream: &mut impl Read, end: &[u8]) {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut buf = [0; 512];
        let len = stream.read(&mut buf).unwrap();
        assert_ne!(len, 0, "closed");
        read.extend_from_slice(buf.get(..len).unwrap());
    }
}

fn tls(stream: TcpStream, http2: bool) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let client = rustls::ClientConnection::new(Arc::new(config), "a".try_into().unwrap()).unwrap();
    rustls::StreamOwned::new(client, stream)
}

#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
