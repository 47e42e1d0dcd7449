//! What the tests of the server share: a server on a free port, and clients that speak raw bytes.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use gateway_core::config::{Certificate, Config, Sni};
use gateway_core::{
    Body, ConnectInfo,
    server::{Certificates, Drain, Running, Serve, Server, Settings, Snapshot},
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
pub use tokio_rustls::client::TlsStream;

/// Every patience in the tests of timeouts.
pub const PATIENCE: Duration = Duration::from_millis(300);

pub struct TestServer {
    pub address: SocketAddr,
    pub running: Running,
}

pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.workers = 2;
    settings
}

pub fn impatient() -> Settings {
    with_patience(PATIENCE)
}

pub fn with_patience(patience: Duration) -> Settings {
    let mut settings = settings();
    let timeouts = &mut settings.timeouts;
    timeouts.handshake = patience;
    timeouts.silence = patience;
    timeouts.head = patience;
    timeouts.keep_alive = patience;
    timeouts.body_idle = patience;
    timeouts.write_idle = patience;
    timeouts.rate_grace = patience;
    timeouts.linger = Duration::from_millis(100);
    settings
}

pub fn start(settings: Settings, serve: impl Serve) -> TestServer {
    let server = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let address = server.addresses()[0];
    TestServer { address, running: server.start(move |_| serve.clone()).unwrap() }
}

pub fn start_tls(settings: Settings, certificates: &Certificates, serve: impl Serve) -> TestServer {
    let server = Server::new(settings).listen_tls(([127, 0, 0, 1], 0).into(), certificates).bind().unwrap();
    let address = server.addresses()[0];
    TestServer { address, running: server.start(move |_| serve.clone()).unwrap() }
}

impl TestServer {
    pub async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client(stream)
    }

    pub fn drain(&self) -> Drain {
        self.running.drain().clone()
    }

    /// Waits until the counters are as wanted.
    pub async fn eventually(&self, wanted: impl Fn(&Snapshot) -> bool) {
        let begin = Instant::now();
        while !wanted(&self.running.snapshot()) {
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "counters stay at {:?}",
                self.running.snapshot()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The answer to `/big`. Made once: its memory takes a while when it is touched first.
static BIG: LazyLock<bytes::Bytes> = LazyLock::new(|| vec![b'x'; 64 << 20].into());

/// Answers by path: `/` at once, `/slow` after 1.5 s, `/big` with 64 MiB, `/echo` with the request's body
/// once that is whole, `/tunnel` with 101 and an echo, `/never`, and panics at `/panic`.
pub fn tester() -> impl Serve {
    |_: &Arc<ConnectInfo>, request: Request<Body>| test_answer(request)
}

async fn test_answer(request: Request<Body>) -> Response<Body> {
    match request.uri().path() {
        "/slow" => sleep(Duration::from_millis(1_500)).await,
        "/never" => std::future::pending().await,
        "/panic" => panic!("as the test wants"),
        "/tunnel" => return tunnel(request),
        "/big" => return Response::new(BIG.clone().into()),
        "/echo" => {
            return match request.into_body().collect().await {
                Ok(body) => Response::new(body.to_bytes().into()),
                Err(error) => {
                    let error = error.downcast_ref::<gateway_core::Error>();
                    let mut response = Response::new(Body::from("bad body"));
                    let reason =
                        error.map_or(gateway_core::Reason::BadRequestBody, gateway_core::Error::reason);
                    *response.status_mut() = reason.status();
                    response
                }
            };
        }
        _ => {}
    }
    Response::new(Body::from("hello"))
}

fn tunnel(mut request: Request<Body>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let mut buf = [0; 64];
        while let Ok(len @ 1..) = io.read(&mut buf).await {
            io.write_all(&buf[..len]).await.unwrap();
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", "upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", "echo".parse().unwrap());
    response
}

pub struct Client(pub TcpStream);

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends, unless the other end has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    pub async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        self.read_until("hello").await
    }

    pub async fn read_until(&mut self, end: &str) -> String {
        let mut read = String::new();
        while !read.ends_with(end) {
            let mut buf = [0; 1024];
            let len = timeout(Duration::from_secs(5), self.0.read(&mut buf)).await.unwrap().unwrap();
            assert_ne!(len, 0, "closed after {read:?}");
            read.push_str(std::str::from_utf8(&buf[..len]).unwrap());
        }
        read
    }

    /// What comes until the other end closes, and how long that took.
    pub async fn until_closed(&mut self) -> (Vec<u8>, Duration) {
        let (begin, mut read) = (Instant::now(), Vec::new());
        let closed = timeout(Duration::from_secs(10), async {
            let mut buf = [0; 16 << 10];
            // A reset is a close as well.
            while let Ok(len @ 1..) = self.0.read(&mut buf).await {
                read.extend_from_slice(&buf[..len]);
            }
        });
        closed.await.expect("the connection stays open");
        (read, begin.elapsed())
    }

    /// Closed within the patience and a second; gives what came before.
    pub async fn closed_in_time(&mut self) -> String {
        let (read, took) = self.until_closed().await;
        assert!(took < PATIENCE + Duration::from_secs(1), "took {took:?}");
        String::from_utf8_lossy(&read).into_owned()
    }
}

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An HTTP/2 frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// HEADERS with END_HEADERS: `method path` of a host.
pub fn head(stream: u32, method: &str, path: &str, end_stream: bool) -> Vec<u8> {
    // HPACK: indexed :scheme http, literal :authority, :method and :path without indexing (RFC 7541 6.2.2).
    let mut block = vec![0x86];
    for (index, value) in [(1_u8, "a"), (2, method), (4, path)] {
        block.push(index);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.as_bytes());
    }
    frame(1, if end_stream { 5 } else { 4 }, stream, &block)
}

pub fn hello_http2(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    [PREFACE, &frame(4, 0, 0, &payload)].concat()
}

/// The frames in `bytes`: kind, flags, stream, payload.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, s1, s2, s3, s4, rest @ ..] = bytes {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, more)) = rest.split_at_checked(len) else { break };
        frames.push((*kind, *flags, u32::from_be_bytes([*s1, *s2, *s3, *s4]), payload.to_vec()));
        bytes = more;
    }
    frames
}

/// The error code of the last GOAWAY.
pub fn goaway(bytes: &[u8]) -> Option<u32> {
    let frames = frames(bytes);
    let (_, _, _, payload) = frames.iter().rfind(|(kind, ..)| *kind == 7)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

/// A well-behaved HTTP/2 client.
pub async fn http2_client(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) -> hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>> {
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(executor, hyper_util::rt::TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn request(path: &str) -> Request<Full<bytes::Bytes>> {
    Request::get(format!("http://a{path}")).body(Full::default()).unwrap()
}

pub async fn status_and_len<B>(response: Response<B>) -> (StatusCode, usize)
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().len())
}

/// A certificate for `name`, signed by itself, and its key, PEM.
pub fn self_signed(name: &str) -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(vec![name.into()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

/// A configuration with a certificate of its own for each name.
pub fn certified(names: &[&str]) -> Config {
    names.iter().enumerate().fold(Config::default(), |config, (number, name)| {
        let (cert, key) = self_signed(&name.replace('*', "any"));
        let id = uuid::Uuid::from_u128(number as u128 + 1);
        let certificate = json!({ "id": id, "cert": cert, "key": key, "created_at": 0, "updated_at": 0 });
        let sni = json!({
            "id": id, "name": name, "certificate": { "id": id }, "created_at": 0, "updated_at": 0,
        });
        let certificate: Certificate = serde_json::from_value(certificate).unwrap();
        config.with(certificate).with(serde_json::from_value::<Sni>(sni).unwrap())
    })
}

/// Connects with TLS, asking for `name` and offering `alpn`; takes whatever certificate comes.
pub async fn connect_tls(
    address: SocketAddr,
    name: &'static str,
    alpn: Option<&[u8]>,
) -> std::io::Result<TlsStream<TcpStream>> {
    tls_over(TcpStream::connect(address).await?, name, alpn).await
}

/// The same over a stream that is there.
pub async fn tls_over(
    stream: TcpStream,
    name: &'static str,
    alpn: Option<&[u8]>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
    TlsConnector::from(Arc::new(config)).connect(name.try_into().unwrap(), stream).await
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
