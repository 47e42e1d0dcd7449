//! A gateway on a real socket with WASM plugins in its chain, an upstream behind it, and a client.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses its own part"
)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{
    Gateway,
    config::{Config, Plugin as PluginEntity, Route, Service},
    plugin::{Plugin, Registry},
    server::{Running, Server, Settings},
};
use gateway_plugins::{Builder, Engine, GatewayUpstreams, Limits, Module, WasmPlugin, Watch};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, client, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One engine for all tests of a file, as in a process.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// The guest built from the public SDK, compiled once.
pub static STRANGER: LazyLock<Module> =
    LazyLock::new(|| module(include_bytes!("../guests/built/stranger.wasm")));

/// The guest that calls foreign functions for whoever asks.
pub static RELAY: LazyLock<Module> = LazyLock::new(|| module(include_bytes!("../guests/built/relay.wasm")));

/// A call as the relay takes it: a name, and arguments in hexadecimal digits.
pub fn line<C: plugin_contract::Call>(call: &C) -> String {
    let bytes = plugin_contract::encode(call, Vec::new()).unwrap();
    format!("{} {}", C::NAME, digits(&bytes))
}

pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What digits stand for.
pub fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// A module, compiled.
pub fn module(bytes: &[u8]) -> Module {
    Module::new(&ENGINE, bytes, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// A `config` that tells the stranger what to do.
pub fn told(words: &[&str]) -> Value {
    json!({ "do": words, "root_id": "main" })
}

/// A gateway with one plugin on all routes.
pub struct Edge {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub watch: Watch,
    running: Running,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub trailers: HeaderMap,
    /// The body broke off.
    pub broken: bool,
}

impl Answer {
    /// What the upstream was sent in this field, by its echo; every value, in order.
    pub fn sent(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{}: ", name.to_lowercase());
        self.text
            .lines()
            .filter(|line| line.to_lowercase().starts_with(&prefix))
            .map(|line| &line[prefix.len()..])
            .collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The edge of the stranger, told these words.
pub async fn stranger(words: &[&str]) -> Edge {
    edge(builder("stranger"), &STRANGER, told(words)).await
}

/// A plugin that has time: a machine's memory takes its time when it is touched first, and that counts as the guest's.
pub fn builder(name: &str) -> Builder {
    WasmPlugin::builder(name).limits(patient())
}

/// The defaults, but for the time of callbacks and starts.
pub fn patient() -> Limits {
    let mut limits = Limits::default();
    (limits.entry_cpu, limits.entry_wall) = (PATIENCE, PATIENCE);
    (limits.configure_cpu, limits.configure_wall) = (PATIENCE, PATIENCE);
    limits
}

/// An edge of a module in text.
pub async fn edge_of(text: &str, config: Value) -> Edge {
    edge(builder("hostile"), &module(&wat::parse_str(text).unwrap()), config).await
}

pub async fn edge(builder: Builder, module: &Module, config: Value) -> Edge {
    edge_among(builder, module, config, Config::default(), Registry::empty()).await
}

/// The same, with more entities and more plugins.
pub async fn edge_among(
    builder: Builder,
    module: &Module,
    config: Value,
    others: Config,
    registry: Registry,
) -> Edge {
    edge_calling(GatewayUpstreams::default(), builder, module, config, (others, registry)).await
}

/// The same, where callouts go by these upstreams.
pub async fn edge_calling(
    upstreams: GatewayUpstreams,
    builder: Builder,
    module: &Module,
    config: Value,
    (others, registry): (Config, Registry),
) -> Edge {
    let upstreams = Arc::new(upstreams);
    let plugin = builder.upstreams(upstreams.clone(), ["auth"]).module(&ENGINE, module);
    let watch = plugin.watch();
    let (echo, auth) = (serve(echo).await, serve(auth).await);
    let entity = PluginEntity::new(plugin.name(), config);
    let config = others.with(to("auth", auth)).with(entity);
    let service = to("echo", echo);
    let mut route = Route::new("all").to(&service);
    (route.paths, route.strip_path) = (Some(vec!["/".into()]), false);
    let config = config.with(service).with(route);
    let gateway = Gateway::builder().config(config).plugins(registry.with(plugin)).build();
    let gateway = gateway.unwrap_or_else(|problems| panic!("{problems:?}"));
    upstreams.connect(&gateway);
    let (address, running) = start(&gateway);
    Edge { gateway, address, watch, running }
}

/// Serves a gateway on a port of its own.
pub fn start(gateway: &Gateway) -> (SocketAddr, Running) {
    let mut settings = Settings::default();
    settings.workers = 1;
    let bound = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let address = bound.addresses()[0];
    let serving = gateway.clone();
    (address, bound.start(move |worker| serving.serve(worker)).unwrap())
}

/// An upstream that says what it was sent.
pub async fn upstream() -> SocketAddr {
    serve(echo).await
}

pub fn to(name: &str, address: SocketAddr) -> Service {
    let mut service = Service::new(name, &address.ip().to_string());
    service.port = address.port();
    service
}

impl Edge {
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path).body(empty()).unwrap()).await
    }

    pub async fn ask(&self, request: Request<BoxBody<Bytes, Infallible>>) -> Answer {
        timeout(PATIENCE, ask(self.address, request)).await.unwrap()
    }

    /// Waits until `holds`.
    pub async fn until(&self, holds: impl Fn(&Watch) -> bool) {
        let all = async {
            while !holds(&self.watch) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{:?}", self.watch.stats()));
    }
}

pub fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "a.example")
}

pub fn empty() -> BoxBody<Bytes, Infallible> {
    Full::default().boxed()
}

pub fn whole(text: &str) -> BoxBody<Bytes, Infallible> {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed()
}

/// A body in chunks with a rest between them, and trailers.
pub fn chunks(parts: &[&str], trailers: Option<HeaderMap>) -> BoxBody<Bytes, Infallible> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let parts: Vec<_> = parts.iter().map(|part| Bytes::copy_from_slice(part.as_bytes())).collect();
    tokio::spawn(async move {
        let mut frames: Vec<_> = parts.into_iter().map(Frame::data).collect();
        frames.extend(trailers.map(Frame::trailers));
        for frame in frames {
            if sender.send(Ok(frame)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    BodyExt::boxed(StreamBody::new(
        Box::pin(frames) as std::pin::Pin<Box<dyn futures_util::Stream<Item = _> + Send + Sync>>
    ))
}

pub async fn ask(address: SocketAddr, request: Request<BoxBody<Bytes, Infallible>>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let Ok(response) = sender.send_request(request).await else {
        let nothing = (StatusCode::default(), HeaderMap::new(), String::new(), HeaderMap::new());
        return Answer {
            status: nothing.0,
            headers: nothing.1,
            text: nothing.2,
            trailers: nothing.3,
            broken: true,
        };
    };
    let (parts, mut body) = response.into_parts();
    let (mut text, mut trailers, mut broken) = (Vec::new(), HeaderMap::new(), false);
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => text.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().unwrap_or_default(),
            Err(_) => broken = true,
        }
    }
    let text = String::from_utf8(text).unwrap();
    Answer { status: parts.status, headers: parts.headers, text, trailers, broken }
}

/// Serves each connection with `answer`.
pub async fn serve<F>(answer: fn(Request<Incoming>) -> F) -> SocketAddr
where
    F: Future<Output = Response<BoxBody<Bytes, Infallible>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service =
                service_fn(move |request| async move { Ok::<_, Infallible>(answer(request).await) });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// Says what it was sent, one thing a line. What the path says of the answer is done.
pub async fn echo(request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else { return Response::new(empty()) };
    for (name, value) in body.trailers().into_iter().flatten() {
        text.push_str(&format!("trailer {name}: {}\n", value.to_str().unwrap()));
    }
    text.push_str(&format!("body: {}\n", String::from_utf8_lossy(&body.to_bytes())));
    let mut response = match path.as_str() {
        "/none" => Response::new(empty()),
        "/chunks" => Response::new(chunks(&["one ", "two ", "three"], None)),
        "/large" => {
            let half = "x".repeat(600 << 10);
            Response::new(chunks(&[&half, &half], None))
        }
        "/trailers" => {
            let trailers = [("x-sum".parse().unwrap(), "7".parse().unwrap())].into_iter().collect();
            Response::new(chunks(&["body"], Some(trailers)))
        }
        _ => Response::new(whole(&text)),
    };
    if path == "/trailers" {
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
    }
    response
}

/// A JWK set: the public key of RFC 7515, appendix A.3.
pub const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// What callouts ask.
async fn auth(request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
    let path = request.uri().path().to_owned();
    let host = request.headers()["host"].to_str().unwrap().to_owned();
    let asked = request.headers().contains_key("x-call");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if path == "/slow" {
        sleep(Duration::from_secs(30)).await;
    }
    if path == "/keys" {
        return Response::new(whole(KEYS));
    }
    let text = format!("{path} at {host}: {} {asked}", String::from_utf8_lossy(&body));
    let mut response = Response::new(whole(&text));
    if path == "/deny" {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}
