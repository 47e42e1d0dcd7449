//! HTTP/2 to upstreams: how connections are shared, and what an upstream may do wrong (RFC 9113; docs/threat-model.md, U).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "common/frames.rs"]
mod frames;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{Edge, balanced_with, config, eventually, http2, service};
use frames::{block, frame};
use futures_util::stream;
use gateway_core::{
    Body, Gateway,
    config::{Config, Protocol},
    upstream::PoolLimits,
};
use h2::{
    RecvStream,
    server::{Connection, SendResponse},
};
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const BOUND: Duration = Duration::from_secs(10);

/// What a client gets.
#[derive(Debug)]
struct Answer {
    status: u16,
    reason: String,
    body: Vec<u8>,
    trailers: HeaderMap,
    /// Its body came to its end.
    whole: bool,
    /// With what its stream was reset, if it was.
    reset: Option<h2::Reason>,
}

impl Answer {
    #[track_caller]
    fn assert_failed(&self, status: u16, reason: &str) {
        assert_eq!((self.status, self.reason.as_str()), (status, reason), "{self:?}");
    }

    #[track_caller]
    fn assert_ok(&self, body: &str) {
        let read = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, read.as_ref(), self.whole), (200, body, true), "{self:?}");
    }
}

/// Sends a request of its own connection.
async fn ask(edge: &Edge, method: Method, path: &str, body: Body) -> Answer {
    let mut sender = http2(edge).await;
    let request = Request::builder().method(method).uri(format!("http://a{path}")).body(body).unwrap();
    let response = timeout(BOUND, sender.send_request(request)).await.unwrap().unwrap();
    let (head, mut body) = response.into_parts();
    let reason =
        head.headers.get("x-gateway-reason").map_or("", |reason| reason.to_str().unwrap()).to_owned();
    let (mut read, mut trailers, mut whole, mut reset) = (Vec::new(), HeaderMap::new(), true, None);
    while let Some(frame) = timeout(BOUND, body.frame()).await.unwrap() {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => read.extend(data),
            Ok(Err(frame)) => trailers = frame.into_trailers().unwrap(),
            Err(error) => {
                (whole, reset) = (false, code(&error));
                break;
            }
        }
    }
    Answer { status: head.status.as_u16(), reason, body: read, trailers, whole, reset }
}

/// The code that a stream was reset with.
fn code(error: &hyper::Error) -> Option<h2::Reason> {
    std::error::Error::source(error)?.downcast_ref::<h2::Error>()?.reason()
}

async fn get(edge: &Edge, path: &str) -> Answer {
    ask(edge, Method::GET, path, Body::empty()).await
}

/// A body that is still arriving when the request goes out, and ends with trailers.
fn arriving(pieces: Vec<Bytes>) -> Body {
    let frames = stream::unfold(pieces.into_iter(), |mut pieces| async move {
        sleep(Duration::from_millis(20)).await;
        pieces.next().map(|piece| (Ok::<_, gateway_core::BoxError>(Frame::data(piece)), pieces))
    });
    Body::new(StreamBody::new(frames))
}

fn over_http2(address: SocketAddr) -> Config {
    let mut service = service(address);
    service.protocol = Protocol::Grpc;
    (service.retries, service.read_timeout, service.write_timeout) = (0, 500, 500);
    config(service)
}

/// An upstream of h2's server: each request goes to a function, with the number of its connection from 0.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most: Arc<Mutex<Vec<usize>>>,
}

type Call = (Request<RecvStream>, SendResponse<Bytes>);

impl Server {
    async fn start<F, Fut>(builder: h2::server::Builder, answer: F) -> Self
    where
        F: Fn(Call, usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Self { address, connections: Arc::default(), open: Arc::default(), most: Arc::default() };
        let (connections, open, most) =
            (Arc::clone(&server.connections), Arc::clone(&server.open), Arc::clone(&server.most));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, SeqCst);
                most.lock().unwrap().push(0);
                let (builder, answer, open, most) =
                    (builder.clone(), answer.clone(), Arc::clone(&open), Arc::clone(&most));
                tokio::spawn(async move {
                    open.fetch_add(1, SeqCst);
                    if let Ok(connection) = builder.handshake(stream).await {
                        serve(connection, answer, number, &most).await;
                    }
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        server
    }

    /// Answers `GET` with the number of the connection.
    async fn plain() -> Self {
        Self::start(h2::server::Builder::new(), |(_, respond), number| async move {
            reply(respond, &number.to_string());
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// The most streams at a time that each connection has seen.
    fn most(&self) -> Vec<usize> {
        self.most.lock().unwrap().clone()
    }
}

async fn serve<F, Fut>(
    mut connection: Connection<TcpStream, Bytes>,
    answer: F,
    number: usize,
    most: &Mutex<Vec<usize>>,
) where
    F: Fn(Call, usize) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let running = Arc::new(AtomicUsize::new(0));
    while let Some(Ok(call)) = connection.accept().await {
        let now = running.fetch_add(1, SeqCst) + 1;
        {
            let mut most = most.lock().unwrap();
            most[number] = most[number].max(now);
        }
        let (answering, running) = (answer(call, number), Arc::clone(&running));
        tokio::spawn(async move {
            answering.await;
            running.fetch_sub(1, SeqCst);
        });
    }
}

fn reply(mut respond: SendResponse<Bytes>, text: &str) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::copy_from_slice(text.as_bytes()), true).unwrap();
}

/// An upstream that writes frames by hand: `script` gets each connection, after its preface, with its number.
async fn by_hand<F, Fut>(script: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Hand, usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, SeqCst);
            let script = script.clone();
            tokio::spawn(async move {
                let mut preface = [0; 24];
                if stream.read_exact(&mut preface).await.is_ok() && preface.starts_with(b"PRI * HTTP/2.0") {
                    script(Hand { stream }, number).await;
                }
            });
        }
    });
    (address, connections)
}

struct Hand {
    stream: TcpStream,
}

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;

impl Hand {
    /// False once the other end has closed.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame: its kind and its stream.
    async fn read(&mut self) -> Option<(u8, u32)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        self.stream.read_exact(&mut vec![0; length]).await.ok()?;
        Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    /// The stream of the next request, which other frames may come before.
    async fn request(&mut self) -> Option<u32> {
        loop {
            if let (HEADERS, stream) = self.read().await? {
                return Some(stream);
            }
        }
    }

    /// Settings, with these values, and the answer to the other end's.
    async fn settle(&mut self, values: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (name, value) in values {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        let both = [frame(SETTINGS, 0, 0, &payload), frame(SETTINGS, 1, 0, &[])].concat();
        self.write(&both).await;
    }

    async fn answer(&mut self, stream: u32, text: &str) {
        let head = frame(HEADERS, 4, stream, &block(&[(":status", b"200")]));
        self.write(&[head, frame(0, 1, stream, text.as_bytes())].concat()).await;
    }

    /// Whether the other end closes, or ends, within the bound.
    async fn until_closed(&mut self) {
        while self.read().await.is_some() {}
    }
}

#[tokio::test]
async fn requests_share_a_connection_and_trailers_pass_both_ways() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), _| async move {
        let mut body = request.into_body();
        let mut read = Vec::new();
        while let Some(Ok(data)) = body.data().await {
            read.extend_from_slice(&data);
            let _ = body.flow_control().release_capacity(data.len());
        }
        let trailers = body.trailers().await.unwrap();
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream.send_data(read.into(), false).unwrap();
        let mut answer = trailers.unwrap_or_default();
        answer.insert("x-down", "1".parse().unwrap());
        answer.insert("set-cookie", "a=b".parse().unwrap());
        stream.send_trailers(answer).unwrap();
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..3 {
        let frames = [Frame::data(Bytes::from("hello")), Frame::trailers(trailer("x-up", "2"))];
        let frames = frames.map(Ok::<_, gateway_core::BoxError>);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let answer = ask(&edge, Method::POST, "/", body).await;
        answer.assert_ok("hello");
        assert_eq!(answer.trailers["x-up"], "2");
        assert_eq!(answer.trailers["x-down"], "1");
        assert!(!answer.trailers.contains_key("set-cookie"), "D16");
    }
    assert_eq!(server.connections(), 1);
}

fn trailer(name: &'static str, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
}

#[tokio::test]
async fn no_connection_has_more_streams_than_its_server_allows() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    let server = Server::start(builder, |(_, respond), _| async move {
        sleep(Duration::from_millis(150)).await;
        reply(respond, "ok");
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    let asks: Vec<_> = (0..6).map(|_| http2(&edge)).collect();
    let mut under_way = tokio::task::JoinSet::new();
    for sender in asks {
        let mut sender = sender.await;
        under_way.spawn(async move {
            let request = Request::get("http://a/").body(Body::empty()).unwrap();
            sender.send_request(request).await.unwrap().status()
        });
    }
    while let Some(status) = timeout(BOUND, under_way.join_next()).await.unwrap() {
        assert_eq!(status.unwrap(), 200);
    }
    assert!(server.most().iter().all(|most| *most <= 2), "{:?}", server.most());
    assert!((2..=4).contains(&server.connections()), "{}", server.connections());
}

#[tokio::test]
async fn where_no_more_connections_may_be_opened_a_request_waits_and_then_is_503() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1);
    let (go, gone) = tokio::sync::watch::channel(false);
    let server = Server::start(builder, move |(_, respond), _| {
        let mut gone = gone.clone();
        async move {
            let _ = gone.wait_for(|gone| *gone).await;
            reply(respond, "ok");
        }
    })
    .await;
    let mut all = over_http2(server.address);
    let mut service = (**all.services.values().next().unwrap()).clone();
    (service.connect_timeout, service.read_timeout) = (10_000, 30_000);
    let mut hasty = gateway_core::config::Service::new("hasty", &server.address.ip().to_string());
    (hasty.protocol, hasty.port, hasty.connect_timeout) = (Protocol::Grpc, server.address.port(), 200);
    let mut route = gateway_core::config::Route::new("hasty").to(&hasty);
    (route.paths, route.strip_path) = (Some(vec!["/hasty".into()]), false);
    all = all.with(service).with(hasty).with(route);
    let edge = Arc::new(Edge::new(all));
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let edge = Arc::clone(&edge);
        held.spawn(async move { get(&edge, "/").await });
    }
    eventually("all connections are in use", || {
        server.most().iter().filter(|most| **most == 1).count() == 64
    })
    .await;
    get(&edge, "/hasty").await.assert_failed(503, "overloaded");
    let (waiting, ()) = tokio::join!(get(&edge, "/"), async {
        sleep(Duration::from_millis(100)).await;
        go.send(true).unwrap();
    });
    waiting.assert_ok("ok");
    while let Some(answer) = timeout(BOUND, held.join_next()).await.unwrap() {
        answer.unwrap().assert_ok("ok");
    }
    assert_eq!(server.connections(), 64);
}

/// A server that reads a call, and gives it back only the third time; before, it has no time. How many calls there were.
async fn reluctant() -> (Server, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let server = Server::start(h2::server::Builder::new(), move |(request, mut respond), _| {
        let code = if count.fetch_add(1, SeqCst) < 2 { "14" } else { "0" };
        async move {
            let (mut body, mut read) = (request.into_body(), Vec::new());
            while let Some(Ok(data)) = body.data().await {
                read.extend_from_slice(&data);
                let _ = body.flow_control().release_capacity(data.len());
            }
            let head =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", code);
            let mut stream = respond.send_response(head.body(()).unwrap(), code != "0").unwrap();
            if code == "0" {
                stream.send_data(read.into(), true).unwrap();
            }
        }
    });
    (server.await, calls)
}

#[tokio::test]
async fn a_code_of_grpc_is_tried_again_where_it_is_named_with_up_to_64_kib() {
    let retry = gateway_core::config::Plugin::new(
        "retry",
        serde_json::json!({ "retries": 3, "grpc_statuses": ["UNAVAILABLE"], "backoff_base": 0 }),
    );
    for body in [Body::from("a message"), arriving(vec!["a ".into(), "mess".into(), "age".into()])] {
        let (server, calls) = reluctant().await;
        let edge = Edge::new(over_http2(server.address).with(retry.clone()));
        ask(&edge, Method::POST, "/p.S/M", body).await.assert_ok("a message");
        assert_eq!(calls.load(SeqCst), 3);
    }
    let (server, calls) = reluctant().await;
    let edge = Edge::new(over_http2(server.address).with(retry));
    let large = arriving(vec![Bytes::from(vec![b'l'; 40_000]); 2]);
    ask(&edge, Method::POST, "/p.S/M", large).await.assert_ok("");
    assert_eq!(calls.load(SeqCst), 1, "more than is kept");
}

/// The first connection fails its request, and the second one serves.
async fn assert_breaks_alone(address: SocketAddr, connections: &AtomicUsize) {
    let edge = Edge::new(over_http2(address));
    get(&edge, "/").await.assert_failed(502, "bad_response");
    get(&edge, "/").await.assert_ok("fine");
    assert_eq!(connections.load(SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_ends_its_connection_alone() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        if number > 0 {
            return hand.answer(stream, "fine").await;
        }
        // A frame on a stream that nobody has opened (RFC 9113 section 5.1).
        hand.write(&frame(0, 1, stream + 20, b"?")).await;
        hand.until_closed().await;
    })
    .await;
    assert_breaks_alone(address, &connections).await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_closes_and_so_does_one_that_is_used_up() {
    let server = Server::plain().await;
    let mut settings = common::settings();
    settings.pool = PoolLimits::default();
    settings.pool.idle_timeout = Duration::from_millis(200);
    settings.pool.requests = 2;
    let gateway = Gateway::builder().config(over_http2(server.address)).settings(settings).build().unwrap();
    let edge = Edge::of(gateway);
    for number in ["0", "0", "1"] {
        get(&edge, "/").await.assert_ok(number);
    }
    eventually("both are closed", || server.open.load(SeqCst) == 0).await;
    get(&edge, "/").await.assert_ok("2");
}

#[tokio::test]
async fn what_a_server_that_goes_away_has_not_begun_is_sent_again() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(first) = hand.request().await else { return };
        if number > 0 {
            return hand.answer(first, "second").await;
        }
        hand.answer(first, "first").await;
        let Some(_) = hand.request().await else { return };
        // Nothing beyond the first stream has been looked at.
        hand.write(&frame(7, 0, 0, &[first.to_be_bytes(), [0; 4]].concat())).await;
        hand.until_closed().await;
    })
    .await;
    let edge = Edge::new(over_http2(address));
    ask(&edge, Method::POST, "/", "body".into()).await.assert_ok("first");
    ask(&edge, Method::POST, "/", "body".into()).await.assert_ok("second");
    assert_eq!(connections.load(SeqCst), 2);
}

#[tokio::test]
async fn a_stream_that_was_begun_ends_though_its_server_goes_away() {
    let (address, _) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        hand.write(&frame(HEADERS, 4, stream, &block(&[(":status", b"200")]))).await;
        if number == 0 {
            hand.write(&frame(7, 0, 0, &[stream.to_be_bytes(), [0; 4]].concat())).await;
            sleep(Duration::from_millis(200)).await;
        }
        hand.write(&frame(0, 1, stream, number.to_string().as_bytes())).await;
        hand.until_closed().await;
    })
    .await;
    let edge = Edge::new(over_http2(address));
    let (first, later) = tokio::join!(get(&edge, "/"), async {
        sleep(Duration::from_millis(100)).await;
        get(&edge, "/").await
    });
    first.assert_ok("0");
    later.assert_ok("1");
}

/// An upstream that refuses each stream, and the number of times.
async fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = Server::start(h2::server::Builder::new(), move |(_, mut respond), _| {
        count.fetch_add(1, SeqCst);
        async move { respond.send_reset(h2::Reason::REFUSED_STREAM) }
    });
    (server.await.address, refused)
}

#[tokio::test]
async fn a_refused_stream_is_tried_elsewhere_with_its_body_under_way_too() {
    let ((address, refused), good) = (refusing().await, Server::plain().await);
    let (config, _) = balanced_with(&[address, good.address], |service| {
        service.protocol = Protocol::Grpc;
        service.retries = 1;
    });
    let edge = Edge::new(config);
    for _ in 0..6 {
        ask(&edge, Method::POST, "/", "in memory".into()).await.assert_ok("0");
    }
    assert!(refused.load(SeqCst) >= 3);

    let (address, refused) = refusing().await;
    let mut lone = over_http2(address);
    let mut service = (**lone.services.values().next().unwrap()).clone();
    service.retries = 3;
    lone = lone.with(service);
    get(&Edge::new(lone.clone()), "/").await.assert_failed(502, "reset");
    assert_eq!(refused.swap(0, SeqCst), 4, "each retry");
    let pieces = vec![Bytes::from_static(b"one"); 50];
    ask(&Edge::new(lone), Method::POST, "/", arriving(pieces)).await.assert_failed(502, "reset");
    assert_eq!(refused.load(SeqCst), 4, "what had been sent is sent again");
}

#[tokio::test]
async fn a_stream_that_is_reset_is_502_and_no_other_one_sees_it() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), number| async move {
        match request.uri().path() {
            "/reset" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            "/half" => {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                body.send_data("half".into(), false).unwrap();
                sleep(Duration::from_millis(50)).await;
                body.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            _ => reply(respond, &number.to_string()),
        }
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..50 {
        get(&edge, "/reset").await.assert_failed(502, "reset");
    }
    let half = get(&edge, "/half").await;
    assert_eq!((half.status, half.whole), (200, false), "{half:?}");
    get(&edge, "/").await.assert_ok("0");
    assert_eq!(server.connections(), 1, "one connection for all of them");
}

/// Bug: hyper found the server's code in the error of the body, and told it to the client as its own: `REFUSED_STREAM`,
/// which lets a client repeat a call that the server had begun.
#[tokio::test]
async fn an_answer_that_breaks_off_is_an_internal_error_whatever_its_server_says() {
    let codes = [h2::Reason::REFUSED_STREAM, h2::Reason::ENHANCE_YOUR_CALM, h2::Reason::NO_ERROR];
    for code in codes {
        let server = Server::start(h2::server::Builder::new(), move |(_, mut respond), _| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data("half".into(), false).unwrap();
            sleep(Duration::from_millis(50)).await;
            body.send_reset(code);
        })
        .await;
        let answer = get(&Edge::new(over_http2(server.address)), "/").await;
        assert_eq!((answer.status, answer.whole), (200, false), "{code}: {answer:?}");
        assert_eq!(answer.reset, Some(h2::Reason::INTERNAL_ERROR), "{code}: {answer:?}");
    }
}

/// Bug: h2 takes a hundred empty DATA frames on one connection, and ends it with all that runs on it at the next one.
#[tokio::test]
async fn a_server_that_sends_empty_frames_gets_another_connection_in_time() {
    let server = Server::start(h2::server::Builder::new(), |(_, mut respond), _| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data("x".into(), false).unwrap();
        body.send_data(Bytes::new(), false).unwrap();
        body.send_trailers(trailer("grpc-status", "0")).unwrap();
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..250 {
        get(&edge, "/").await.assert_ok("x");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_stream_that_is_never_answered_is_504_and_the_server_is_told() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cancelled);
    let server = Server::start(h2::server::Builder::new(), move |(request, mut respond), number| {
        let count = Arc::clone(&count);
        async move {
            if request.uri().path() != "/never" {
                return reply(respond, &number.to_string());
            }
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
            assert_eq!(reason, h2::Reason::CANCEL);
            count.fetch_add(1, SeqCst);
        }
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    let (never, slowly) = tokio::join!(get(&edge, "/never"), async {
        for _ in 0..4 {
            get(&edge, "/").await.assert_ok("0");
            sleep(Duration::from_millis(50)).await;
        }
        ask(&edge, Method::POST, "/never", arriving(vec![Bytes::from_static(b"x"); 3])).await
    });
    never.assert_failed(504, "read_timeout");
    slowly.assert_failed(504, "read_timeout");
    // A connection on which nothing at all has come meanwhile is not trusted any more.
    get(&edge, "/").await.assert_ok("1");
    eventually("both streams are reset", || cancelled.load(SeqCst) == 2).await;
}

#[tokio::test]
async fn a_window_that_never_opens_is_504_and_requests_without_a_body_go_on() {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(0);
    let server = Server::start(builder, |(request, respond), number| async move {
        if request.method() == Method::GET {
            return reply(respond, &number.to_string());
        }
        sleep(BOUND).await;
        drop((request, respond));
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    get(&edge, "/").await.assert_ok("0");
    ask(&edge, Method::POST, "/", "in memory".into()).await.assert_failed(504, "read_timeout");
    let body = arriving(vec![Bytes::from_static(b"on its way"); 5]);
    let (held_up, other) = tokio::join!(ask(&edge, Method::POST, "/", body), async {
        sleep(Duration::from_millis(100)).await;
        get(&edge, "/").await
    });
    held_up.assert_failed(504, "write_timeout");
    other.assert_ok("1");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_502_and_costs_its_connection_alone() {
    let (address, connections) = by_hand(|mut hand, number| async move {
        hand.settle(&[]).await;
        let Some(stream) = hand.request().await else { return };
        if number > 0 {
            return hand.answer(stream, "fine").await;
        }
        hand.write(&frame(HEADERS, 0, stream, &block(&[(":status", b"200")]))).await;
        let piece = frame(9, 0, stream, &block(&[("x-long", &[b'a'; 8000])]));
        for _ in 0..10_000 {
            if !hand.write(&piece).await {
                return;
            }
        }
        panic!("80 MB of a head have been read");
    })
    .await;
    assert_breaks_alone(address, &connections).await;
}

#[tokio::test]
async fn heads_that_are_too_large_or_too_many_are_502_bad_response() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), number| async move {
        let mut head = Response::new(());
        match request.uri().path() {
            "/large" => drop(head.headers_mut().insert("x-large", "l".repeat(70_000).parse().unwrap())),
            "/fields" => (0..201).for_each(|at| {
                head.headers_mut().append("x-field", at.into());
            }),
            "/interim" => {
                for _ in 0..17 {
                    let mut hints = Response::new(());
                    *hints.status_mut() = http::StatusCode::EARLY_HINTS;
                    let _ = respond.send_informational(hints);
                }
            }
            _ => return reply(respond, &number.to_string()),
        }
        let _ = respond.send_response(head, true);
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for path in ["/large", "/fields", "/interim"] {
        get(&edge, path).await.assert_failed(502, "bad_response");
    }
    get(&edge, "/").await.assert_ok("0");
}

#[tokio::test]
async fn what_is_not_http_2_is_502() {
    let (address, _) = by_hand(|mut hand, _| async move {
        hand.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        hand.until_closed().await;
    })
    .await;
    get(&Edge::new(over_http2(address)), "/").await.assert_failed(502, "bad_response");

    let (address, _) = by_hand(|hand, _| async move { drop(hand) }).await;
    get(&Edge::new(over_http2(address)), "/").await.assert_failed(502, "reset");
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_ends_both() {
    let server = Server::start(h2::server::Builder::new(), |(request, mut respond), _| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data("enough".into(), true).unwrap();
        // The rest is not wanted, and h2 says so with a reset (RFC 9113 section 8.1).
        drop((request, respond));
    })
    .await;
    let edge = Edge::new(over_http2(server.address));
    for _ in 0..3 {
        let body = arriving(vec![Bytes::from(vec![0; 10_000]); 20]);
        ask(&edge, Method::POST, "/", body).await.assert_ok("enough");
    }
    assert_eq!(server.connections(), 1);
}
