//! What the tests of the upstream side share: a gateway on a real listener, a client that sees raw bytes, and
//! upstreams that behave well, badly, or over TLS.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test uses its own part, and fails by panicking"
)]

pub mod echo;
pub mod reply;
pub mod scripted;
pub mod tls;

use std::{
    net::SocketAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use gateway_core::{
    Gateway, Settings,
    config::{Config, Route, Service, Target, Upstream},
    server::{Running, Server},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

pub use reply::Reply;
pub use scripted::{Script, Scripted, Step};

/// No step of a test takes longer.
pub const BOUND: Duration = Duration::from_secs(10);

/// A gateway behind its own listener.
pub struct Edge {
    pub address: SocketAddr,
    pub gateway: Gateway,
    _running: Running,
}

/// The settings of tests: reasons are shown, one worker has one share of everything.
pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.reason_header = true;
    settings.shards = 1;
    settings
}

impl Edge {
    pub fn new(config: Config) -> Self {
        Self::of(Gateway::builder().config(config).settings(settings()).build().unwrap())
    }

    pub fn of(gateway: Gateway) -> Self {
        let mut settings = gateway_core::server::Settings::default();
        settings.workers = 1;
        settings.grace = Duration::ZERO;
        let server = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
        let address = server.addresses()[0];
        let serving = gateway.clone();
        let running = server.start(move |worker| serving.serve(worker)).unwrap();
        Self { address, gateway, _running: running }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own; what comes back until the gateway closes it.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut client = self.connect().await;
        client.write_all(bytes.as_ref()).await.unwrap();
        until_closed(&mut client).await
    }

    /// A request without a body.
    pub async fn ask(&self, method: &str, path: &str) -> Reply {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        Reply::to(method, &self.raw(request).await)
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).await
    }

    /// A request with a body of known length.
    pub async fn post(&self, path: &str, fields: &str, body: &str) -> Reply {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}content-length: {length}\r\n\r\n{body}"
        );
        Reply::to("POST", &self.raw(request).await)
    }
}

/// A client of HTTP/2 without TLS.
pub async fn http2(edge: &Edge) -> hyper::client::conn::http2::SendRequest<gateway_core::Body> {
    let io = hyper_util::rt::TokioIo::new(edge.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// What comes until the other end closes or resets.
pub async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async { while let Ok(1..) = stream.read_buf(&mut read).await {} };
    timeout(BOUND, reading).await.expect("the connection stays open");
    read
}

/// Reads until what has come contains `end`.
pub async fn read_until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while !read.windows(end.len()).any(|window| window == end) {
            let count = stream.read_buf(&mut read).await.unwrap();
            assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&read));
        }
    };
    let done = timeout(BOUND, reading).await;
    done.unwrap_or_else(|_| panic!("no {:?}", String::from_utf8_lossy(end)));
    read
}

/// Waits until `wanted` holds.
pub async fn eventually(what: &str, wanted: impl Fn() -> bool) {
    let began = Instant::now();
    while !wanted() {
        assert!(began.elapsed() < BOUND, "{what}: not yet");
        sleep(Duration::from_millis(5)).await;
    }
}

/// An address where nothing listens, and that nobody else is given. Who binds it by name may listen there.
pub fn nowhere() -> SocketAddr {
    static TAKEN: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    TAKEN.lock().unwrap().push(socket);
    address
}

/// A service at `address` with short limits.
pub fn service(address: SocketAddr) -> Service {
    let mut service = Service::new("tested", &address.ip().to_string());
    service.port = address.port();
    service
}

/// All paths go to `service`, as they are.
pub fn route(service: &Service) -> Route {
    let mut route = Route::new("all").to(service);
    route.paths = Some(vec!["/".into()]);
    route.strip_path = false;
    route
}

pub fn config(service: Service) -> Config {
    let route = route(&service);
    Config::default().with(service).with(route)
}

/// A service in front of an upstream with these targets.
pub fn balanced(targets: &[SocketAddr]) -> (Config, Upstream) {
    balanced_with(targets, |_| {})
}

pub fn balanced_with(targets: &[SocketAddr], change: impl FnOnce(&mut Service)) -> (Config, Upstream) {
    let upstream = Upstream::new("group");
    let mut service = Service::new("tested", "group");
    change(&mut service);
    let mut all = config(service).with(upstream.clone());
    for target in targets {
        all = all.with(Target::new(&upstream, &target.to_string()));
    }
    (all, upstream)
}
