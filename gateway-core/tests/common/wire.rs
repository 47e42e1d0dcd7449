//! A gateway between raw sockets: an upstream that writes down every byte it is sent, the gateway behind its
//! own server, and clients that send what they like.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    Gateway, Reason,
    config::{Config, Plugin as PluginEntity, Route, Service, schema::Record},
    plugin::{Configured, Exchange, Handler, Plugin, Registry, Source},
    server::{Certificates, Running, Server, Settings},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long an upstream takes for a path with `/slow` in it.
pub const SLOW: Duration = Duration::from_millis(1_500);

/// One request as the upstream read it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request line and the fields, as they came.
    pub head: String,
    /// The body, without its framing; what came of it if it broke off.
    pub body: Vec<u8>,
    /// The body did not come to its end.
    pub broken: bool,
    /// Which of the upstream's connections it came on, from 0.
    pub connection: usize,
}

impl Seen {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// What a request to an upstream must be, whatever the client sent: one framing, one host, plain fields,
    /// and none of those that end at this hop.
    pub fn assert_canonical(&self, what: &str) {
        let parts: Vec<_> = self.line().split(' ').collect();
        assert_eq!(parts.len(), 3, "{what}: {:?}", self.line());
        assert!(parts[1].starts_with('/') && parts[2] == "HTTP/1.1", "{what}: {:?}", self.line());
        assert_eq!(self.all("host").len(), 1, "{what}: {}", self.head);
        assert!(
            self.all("content-length").len() + self.all("transfer-encoding").len() <= 1,
            "{what}: {}",
            self.head
        );
        assert!(
            self.all("transfer-encoding").iter().all(|coding| *coding == "chunked"),
            "{what}: {}",
            self.head
        );
        let gone = [
            "keep-alive",
            "proxy-connection",
            "upgrade",
            "http2-settings",
            "expect",
            "proxy",
            "x-consumer-id",
        ];
        for name in gone {
            assert!(self.all(name).is_empty(), "{what}: {name} in {}", self.head);
        }
        assert!(self.all("te").iter().all(|te| *te == "trailers"), "{what}: {}", self.head);
        for name in
            ["x-real-ip", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-path", "x-kong-request-id"]
        {
            assert_eq!(self.all(name).len(), 1, "{what}: {name} in {}", self.head);
        }
        assert!(self.all("x-forwarded-host").len() <= 1, "{what}: {}", self.head);
        for line in self.head.lines().skip(1) {
            let (name, value) =
                line.split_once(':').unwrap_or_else(|| panic!("{what}: a line without colon: {line:?}"));
            assert!(!name.is_empty() && !name.contains([' ', '\t']), "{what}: {line:?}");
            assert!(!value.contains(['\0', '\r', '\n']), "{what}: {line:?}");
        }
    }
}

/// What an upstream does with a request: the bytes it answers with, as they go out.
pub type Answers = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// An upstream with a parser of its own, stricter and simpler than the gateway's: what would smuggle a request
/// past one of the two stands in `seen` or in `garbage`.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    garbage: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Upstream {
    /// One that answers every request with its target.
    pub async fn echo() -> Self {
        Self::start(|seen| ok(seen.target())).await
    }

    pub async fn start(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            garbage: Arc::default(),
            open: Arc::default(),
        };
        let (this, answers): (_, Arc<Answers>) = (upstream.clone(), Arc::new(answers));
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (this, answers) = (this.clone(), Arc::clone(&answers));
                tokio::spawn(async move {
                    this.open.fetch_add(1, Ordering::SeqCst);
                    this.connection(stream, number, &*answers).await;
                    this.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    async fn connection(&self, mut stream: TcpStream, number: usize, answers: &Answers) {
        let mut wire = Wire::default();
        loop {
            let Some(head) = wire.head(&mut stream).await else {
                if !wire.bytes.is_empty() {
                    self.garbage.lock().unwrap().push(String::from_utf8_lossy(&wire.bytes).into_owned());
                }
                return;
            };
            let mut seen = Seen { head, body: Vec::new(), broken: false, connection: number };
            let framing = Framing::of_request(&seen.head);
            seen.broken = wire.body(&mut stream, framing, &mut seen.body).await.is_none();
            let (answer, broken) = (answers(&seen), seen.broken);
            let slow = seen.target().contains("/slow");
            self.seen.lock().unwrap().push(seen);
            if slow {
                tokio::time::sleep(SLOW).await;
            }
            if broken || stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Bytes that are no request.
    pub fn garbage(&self) -> Vec<String> {
        self.garbage.lock().unwrap().clone()
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A service that leads here.
    pub fn service(&self, name: &str) -> Service {
        let mut service = Service::new(name, &self.address.ip().to_string());
        service.port = self.address.port();
        service
    }
}

/// A 200 with a body.
pub fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// An answer with these fields (each with its line end) and a body.
pub fn answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}\r\n{body}", body.len()).into_bytes()
}

/// How the body of a message ends.
#[derive(Clone, Copy, Debug)]
enum Framing {
    None,
    Length(usize),
    Chunked,
    Close,
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl Framing {
    fn of_request(head: &str) -> Self {
        match (field(head, "transfer-encoding"), field(head, "content-length")) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length.parse().unwrap()),
            (None, None) => Self::None,
        }
    }

    fn of_answer(head: &str, to_head: bool) -> Self {
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        if to_head || matches!(status, 100..=199 | 204 | 304) {
            return Self::None;
        }
        match Self::of_request(head) {
            Self::None => Self::Close,
            framing => framing,
        }
    }
}

/// What has been read from a connection and not been used.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
}

impl Wire {
    async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
        let read = timeout(PATIENCE, stream.read_buf(&mut self.bytes)).await.ok()?.ok()?;
        (read > 0).then_some(())
    }

    /// Up to the empty line, without it.
    async fn head(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.bytes.drain(..end + 4).take(end).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.more(stream).await?;
        }
    }

    async fn exactly(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        length: usize,
        body: &mut Vec<u8>,
    ) -> Option<()> {
        let mut left = length;
        loop {
            let now = left.min(self.bytes.len());
            body.extend(self.bytes.drain(..now));
            left -= now;
            if left == 0 {
                return Some(());
            }
            self.more(stream).await?;
        }
    }

    async fn line(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = self.bytes.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).ok();
            }
            self.more(stream).await?;
        }
    }

    async fn body(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        framing: Framing,
        body: &mut Vec<u8>,
    ) -> Option<()> {
        match framing {
            Framing::None => Some(()),
            Framing::Length(length) => self.exactly(stream, length, body).await,
            Framing::Close => {
                while self.more(stream).await.is_some() {}
                body.append(&mut self.bytes);
                Some(())
            }
            Framing::Chunked => loop {
                let size = usize::from_str_radix(&self.line(stream).await?, 16).ok()?;
                if size == 0 {
                    while !self.line(stream).await?.is_empty() {}
                    return Some(());
                }
                self.exactly(stream, size, body).await?;
                self.line(stream).await.filter(String::is_empty)?;
            },
        }
    }
}

/// One answer as a client read it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// A client of raw bytes.
pub struct Client<I = TcpStream> {
    io: I,
    wire: Wire,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub fn new(io: I) -> Self {
        Self { io, wire: Wire::default() }
    }

    /// Sends; the other end may have closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(timeout(PATIENCE, self.io.write_all(bytes.as_ref())).await, Ok(Ok(())))
    }

    /// The next final answer; none where the connection ends before one is complete.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head = loop {
            let head = self.wire.head(&mut self.io).await?;
            if !head.starts_with("HTTP/1.1 100 ") {
                break head;
            }
        };
        let mut body = Vec::new();
        self.wire.body(&mut self.io, Framing::of_answer(&head, method == "HEAD"), &mut body).await?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Some(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Sends a plain request and reads its answer.
    pub async fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: canary.example\r\n\r\n")).await;
        self.answer().await
    }

    /// Whether the other end closes soon; what came before it does.
    pub async fn closes(&mut self) -> Option<Vec<u8>> {
        let closed = async { while self.wire.more(&mut self.io).await.is_some() {} };
        timeout(Duration::from_secs(3), closed).await.ok()?;
        Some(std::mem::take(&mut self.wire.bytes))
    }

    pub fn into_inner(self) -> I {
        self.io
    }
}

/// A gateway behind its own server.
pub struct Edge {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub tls: Option<SocketAddr>,
    pub running: Running,
    pub ends: Ends,
}

/// How one exchange ended, as a plugin that sees all of them heard it.
#[derive(Clone, Debug)]
pub struct End {
    pub path: String,
    pub status: u16,
    pub reason: Option<Reason>,
    pub source: Source,
}

/// The ends of all exchanges that found a route.
#[derive(Clone, Default)]
pub struct Ends(Arc<Mutex<Vec<End>>>, Record);

impl Ends {
    pub fn take(&self) -> Vec<End> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Handler for Ends {
    fn on_log(&self, exchange: &Exchange) {
        self.0.lock().unwrap().push(End {
            path: exchange.uri.path().to_owned(),
            status: exchange.status.as_u16(),
            reason: exchange.reason,
            source: exchange.source,
        });
    }
}

impl Plugin for Ends {
    fn name(&self) -> &'static str {
        "ends"
    }

    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.1
    }

    fn configure(&self, _: &serde_json::Value) -> Result<Configured, String> {
        Ok(Configured::handler(self.clone()))
    }
}

/// What an [`Edge`] is made of.
pub struct Setup {
    pub config: Config,
    pub registry: Registry,
    pub node: gateway_core::Settings,
    pub server: Settings,
    pub certificates: Option<Certificates>,
}

impl Setup {
    pub fn new(config: Config) -> Self {
        let mut server = Settings::default();
        server.workers = 2;
        let mut node = gateway_core::Settings::default();
        node.shards = 2;
        node.reason_header = true;
        Self { config, registry: gateway_core::plugins::bundled(), node, server, certificates: None }
    }

    pub fn start(self) -> Edge {
        let ends = Ends::default();
        let config = self.config.with(PluginEntity::new("ends", serde_json::json!({})));
        let gateway = Gateway::builder()
            .config(config)
            .plugins(self.registry.with(ends.clone()))
            .settings(self.node)
            .build()
            .unwrap();
        let mut server = Server::new(self.server).listen(([127, 0, 0, 1], 0).into());
        if let Some(certificates) = &self.certificates {
            server = server.listen_tls(([127, 0, 0, 1], 0).into(), certificates);
        }
        let bound = server.bind().unwrap();
        let (address, tls) = (bound.addresses()[0], bound.addresses().get(1).copied());
        let serving = gateway.clone();
        let running = bound.start(move |worker| serving.serve(worker)).unwrap();
        Edge { gateway, address, tls, running, ends }
    }
}

impl Edge {
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }
}

/// A route for every path that leads to `upstream`, and `/stream` that does not wait for bodies.
pub fn everything_to(upstream: &Upstream) -> Config {
    let service = upstream.service("all");
    let mut all = Route::new("all").to(&service);
    all.paths = Some(vec!["/".into()]);
    all.strip_path = false;
    let mut stream = Route::new("stream").to(&service);
    stream.paths = Some(vec!["/stream".into()]);
    stream.strip_path = false;
    stream.request_buffering = false;
    Config::default().with(service).with(all).with(stream)
}

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

/// How a [`Custom`] plugin is configured.
type Configure = dyn Fn(&serde_json::Value) -> Result<Configured, String> + Send + Sync;

/// A plugin of a test's own.
pub struct Custom {
    name: &'static str,
    priority: i32,
    configure: Box<Configure>,
    schema: Record,
}

impl Custom {
    pub fn new<H: Handler>(
        name: &'static str,
        priority: i32,
        configure: impl Fn(&serde_json::Value) -> Result<H, String> + Send + Sync + 'static,
    ) -> Self {
        let configure =
            Box::new(move |config: &serde_json::Value| configure(config).map(Configured::handler));
        Self { name, priority, configure, schema: Record::default() }
    }

    /// The same with these fields in its `config`.
    pub fn taking(mut self, fields: Vec<gateway_core::config::schema::Field>) -> Self {
        self.schema = Record::new(fields);
        self
    }
}

impl Plugin for Custom {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &serde_json::Value) -> Result<Configured, String> {
        (self.configure)(config)
    }
}
