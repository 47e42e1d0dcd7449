//! The gateway as a part of somebody else's program: within axum, as a bare Tower service, with the embedder's
//! own layers and plugins, and with plugins that panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{SinkExt, StreamExt};
use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Plugin, Route, schema::Field},
    plugin::{Exchange, Flow, Handler, LayerPlugin, Registry},
    plugins,
    reply::Instead,
};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceBuilder, ServiceExt, layer::layer_fn, service_fn, util::MapRequestLayer};
use wire::{Client, Custom, Setup, Upstream, everything_to};

/// A gateway to `upstream` with these plugins, switched on for all.
fn gateway(upstream: &Upstream, registry: Registry, names: &[&str]) -> Gateway {
    let mut config = everything_to(upstream);
    for name in names {
        config = config.with(Plugin::new(name, serde_json::json!({})));
    }
    Gateway::builder().config(config).plugins(registry).build().unwrap()
}

/// Serves `router` as an axum program does; the gateway learns of the peer from axum's own extension.
async fn axum_program(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router =
        router.layer(ServiceBuilder::new().map_request(move |mut request: Request<axum::body::Body>| {
            if let Some(peer) = request.extensions().get::<axum::extract::ConnectInfo<SocketAddr>>() {
                let info = Arc::new(ConnectInfo::new(peer.0, address));
                request.extensions_mut().insert(info);
            }
            request
        }));
    tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    address
}

fn router(gateway: Gateway) -> axum::Router {
    axum::Router::new().route("/own", axum::routing::get(async || "own")).fallback_service(gateway)
}

#[tokio::test]
async fn in_axum_it_takes_what_no_route_of_axum_takes() {
    let upstream = Upstream::echo().await;
    let address = axum_program(router(gateway(&upstream, plugins::bundled(), &[]))).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/own").await.unwrap().body, "own");
    assert_eq!(client.get("/x").await.unwrap().body, "/x");
    client.send("POST /y HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    // The head is checked whoever serves.
    client.send("GET /z HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 400);
    let seen = upstream.take();
    assert_eq!((seen.len(), seen[1].body.as_slice()), (2, b"abc".as_slice()));
    seen.iter().for_each(|seen| seen.assert_canonical("in axum"));
    assert_eq!(seen[0].all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(seen[0].all("x-forwarded-port"), [address.port().to_string()]);
}

/// Reads a WebSocket's greeting and gives its messages back.
async fn websocket_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn in_axum_websockets_pass_through() {
    let mut service = gateway_core::config::Service::new("socket", "127.0.0.1");
    service.port = websocket_echo().await.port();
    let mut route = Route::new("socket").to(&service);
    route.paths = Some(vec!["/socket".into()]);
    let gateway = Gateway::builder().config(Config::default().with(service).with(route)).build().unwrap();
    let address = axum_program(router(gateway)).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/socket"), stream).await.unwrap();
    for number in 0..10 {
        socket.send(format!("{number}").into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), format!("{number}"));
    }
}

/// Answers by itself, with a text out of its `config`.
struct Says(String);

impl Handler for Says {
    fn on_request(&self, _: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        Flow::reply(Response::new(Body::from(self.0.clone())))
    }
}

fn says() -> Custom {
    let configure = |config: &serde_json::Value| {
        let text =
            config["text"].as_str().filter(|text| *text != "nothing").ok_or("text: has to say something")?;
        Ok(Says(text.to_owned()))
    };
    Custom::new("says", 10, configure).taking(vec![Field::string("text").required()])
}

/// A request as an embedder makes it, without any connection.
fn request(path: &str) -> Request<Body> {
    Request::get(path).header("host", "a.example").body(Body::empty()).unwrap()
}

async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn as_a_service_without_server_or_socket_own_plugins_answer() {
    let route = Route::new("all");
    let mut config = Config::default();
    let mut route = route;
    route.paths = Some(vec!["/".into()]);
    config =
        config.with(Plugin::new("says", serde_json::json!({ "text": "hello" })).on_route(&route)).with(route);
    let gateway = Gateway::builder().config(config).plugins(plugins::bundled().with(says())).build().unwrap();
    // Any body will do, and so will any error of it.
    let body = http_body_util::Full::new(bytes::Bytes::from("abc"));
    let asked = Request::post("/x").header("host", "a").body(body).unwrap();
    assert_eq!(text(gateway.clone().oneshot(asked).await.unwrap()).await, (StatusCode::OK, "hello".into()));
    let nobody = gateway.clone().oneshot(request("/x").map(|_| Body::empty())).await.unwrap();
    assert!(nobody.headers().contains_key("x-kong-response-latency"));
    assert_eq!(gateway.observer().server().status().total_requests, 2);
}

#[test]
fn a_config_that_a_plugin_of_ones_own_refuses_is_refused() {
    let bad = Config::default().with(Plugin::new("says", serde_json::json!({ "text": "nothing" })));
    let registry = || plugins::bundled().with(says());
    let problems = Gateway::builder().config(bad).plugins(registry()).build().err().unwrap();
    assert!(problems.to_string().contains("has to say something"), "{problems}");
    let absent = Config::default().with(Plugin::new("nobody", serde_json::json!({})));
    let problems = Gateway::builder().config(absent).plugins(registry()).build().err().unwrap();
    assert!(problems.to_string().contains("plugin 'nobody' not enabled"), "A37: {problems}");
}

#[tokio::test]
async fn the_connection_comes_with_the_request() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, plugins::bundled(), &[]);
    let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "192.0.2.1:8443".parse().unwrap());
    let mut asked = request("/x");
    asked.extensions_mut().insert(Arc::new(info.with_tls(gateway_core::TlsInfo::default())));
    assert_eq!(gateway.clone().oneshot(asked).await.unwrap().status(), 200);
    assert_eq!(gateway.oneshot(request("/x")).await.unwrap().status(), 200);
    let seen = upstream.take();
    assert_eq!(
        (seen[0].all("x-real-ip"), seen[0].all("x-forwarded-proto")),
        (vec!["192.0.2.7"], vec!["https"])
    );
    assert_eq!(seen[0].all("x-forwarded-port"), ["8443"]);
    assert_eq!((seen[1].all("x-real-ip"), seen[1].all("x-forwarded-proto")), (vec!["0.0.0.0"], vec!["http"]));
}

#[tokio::test]
async fn a_layer_of_ones_own_wraps_it() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, plugins::bundled(), &[]);
    let wrapped = ServiceBuilder::new()
        .map_response(|mut response: Response<Body>| {
            response.headers_mut().insert("x-outside", HeaderValue::from_static("1"));
            response
        })
        .service(gateway);
    let response = wrapped.oneshot(request("/x")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-outside"]),
        (200, &HeaderValue::from_static("1"))
    );
}

#[tokio::test]
async fn a_layer_of_ones_own_stands_in_the_chain_by_name() {
    let upstream = Upstream::echo().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let audit = layer_fn(move |rest: gateway_core::plugin::ChainService| {
        let counted = Arc::clone(&counted);
        service_fn(move |mut request: Request<Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            request.headers_mut().insert("x-audit", HeaderValue::from_static("seen"));
            let rest = rest.clone();
            async move {
                let mut response = rest.oneshot(request).await?;
                response.headers_mut().insert("x-audited", HeaderValue::from_static("1"));
                Ok::<_, Infallible>(response)
            }
        })
    });
    let registry = plugins::bundled().with(LayerPlugin::new("audit", 500, audit));
    let gateway = gateway(&upstream, registry, &["audit", "correlation-id"]);
    let response = gateway.oneshot(request("/x")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-audited"]),
        (200, &HeaderValue::from_static("1"))
    );
    assert!(
        response.headers().contains_key("x-kong-upstream-latency"),
        "the exchange comes through the layer"
    );
    assert_eq!((calls.load(Ordering::SeqCst), upstream.take()[0].all("x-audit")), (1, vec!["seen"]));
}

/// Panics in the phase that the request names.
struct Bomb;

impl Bomb {
    fn tick(request: &Request<Body>, phase: &str) -> bool {
        request.headers().get("x-panic").is_some_and(|named| named == phase)
    }
}

/// What `on_request` leaves for the later phases.
#[derive(Clone)]
struct Later(String);

impl Handler for Bomb {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        if let Some(phase) = request.headers().get("x-panic") {
            exchange.extensions.insert(Later(phase.to_str().unwrap().to_owned()));
        }
        assert!(!Self::tick(request, "request"), "as the test wants");
        if Self::tick(request, "wait") {
            let wait = async { panic!("as the test wants") };
            return Flow::wait(wait, |(), _, _| Flow::Continue);
        }
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        let later = exchange.extensions.get::<Later>().map(|later| later.0.clone()).unwrap_or_default();
        assert_ne!(later, "response", "as the test wants");
        if later == "body" {
            let frames = futures_util::stream::iter(0..2).map(|number| {
                assert_eq!(number, 0, "as the test wants");
                Ok::<_, Infallible>(Frame::data(bytes::Bytes::from("begin")))
            });
            *response.body_mut() = Body::new(StreamBody::new(frames));
            response.headers_mut().remove("content-length");
        }
        Flow::Continue
    }

    fn on_log(&self, exchange: &Exchange) {
        let later = exchange.extensions.get::<Later>().map(|later| later.0.as_str());
        assert_ne!(later, Some("log"), "as the test wants");
    }
}

/// The panics are meant: their messages would only frighten.
fn quietly() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload_as_str().is_some_and(|text| text.contains("as the test wants")) {
            loud(info);
        }
    }));
}

const PHASES: [(&str, u16); 4] = [("request", 500), ("wait", 500), ("response", 500), ("log", 200)];

fn asks_for(phase: &str) -> String {
    format!("GET /x HTTP/1.1\r\nhost: a\r\nx-panic: {phase}\r\n\r\n")
}

#[tokio::test]
async fn a_plugin_that_panics_costs_one_request_on_http_1() {
    quietly();
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream).with(Plugin::new("bomb", serde_json::json!({}))));
    setup.registry = setup.registry.with(Custom::new("bomb", 50, |_| Ok(Bomb)));
    let edge = setup.start();
    let mut client = edge.client().await;
    for (phase, status) in PHASES {
        client.send(asks_for(phase)).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, status, "{phase}");
        if status == 500 {
            assert!(answer.body.contains("An unexpected error occurred"), "E8: {}", answer.body);
            assert_eq!(answer.field("x-gateway-reason"), Some("internal"), "{phase}");
        }
        assert_eq!(client.get("/after").await.unwrap().body, "/after", "{phase}: the connection lives");
    }
    // A body that breaks off cannot be answered anew: only its connection ends.
    client.send(asks_for("body")).await;
    assert!(client.answer().await.is_none(), "no clean end");
    assert_eq!(edge.client().await.get("/after").await.unwrap().body, "/after");
}

#[tokio::test]
async fn a_plugin_that_panics_costs_one_request_on_http_2() {
    quietly();
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream).with(Plugin::new("bomb", serde_json::json!({}))));
    setup.registry = setup.registry.with(Custom::new("bomb", 50, |_| Ok(Bomb)));
    let edge = setup.start();
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut ask = |phase: &str| {
        let asked = Request::get("http://a/x").header("x-panic", phase).body(()).unwrap();
        sender.send_request(asked, true).unwrap().0
    };
    for (phase, status) in PHASES {
        assert_eq!(ask(phase).await.unwrap().status(), status, "{phase}");
    }
    // The reset may overtake the head.
    let mut ended = ask("body").await.map(Response::into_body);
    while let Ok(body) = &mut ended {
        match body.data().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => ended = Err(error),
            None => panic!("a clean end"),
        }
    }
    assert_eq!(ask("none").await.unwrap().status(), 200, "the connection lives");
    assert_eq!(edge.running.snapshot().accepted, 1);
}

#[tokio::test]
async fn a_plugin_that_panics_costs_one_request_in_axum() {
    quietly();
    let upstream = Upstream::echo().await;
    let registry = plugins::bundled().with(Custom::new("bomb", 50, |_| Ok(Bomb)));
    let address = axum_program(router(gateway(&upstream, registry, &["bomb"]))).await;
    let mut client = Client::connect(address).await;
    for (phase, status) in PHASES {
        client.send(asks_for(phase)).await;
        assert_eq!(client.answer().await.unwrap().status, status, "{phase}");
        assert_eq!(client.get("/after").await.unwrap().body, "/after", "{phase}: the connection lives");
    }
}

#[test]
fn threads_of_an_embedders_runtime_share_what_there_is() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let upstream = Upstream::echo().await;
        let mut settings = gateway_core::Settings::default();
        // Fewer shards than threads: the threads take turns.
        settings.shards = 2;
        let gateway = Gateway::builder().config(everything_to(&upstream)).settings(settings).build().unwrap();
        let address = axum_program(router(gateway.clone())).await;
        let clients: Vec<_> = (0..20)
            .map(|client| {
                tokio::spawn(async move {
                    let mut connection = Client::connect(address).await;
                    for number in 0..20 {
                        let path = format!("/{client}/{number}");
                        let answer = connection.get(&path).await.unwrap();
                        assert_eq!((answer.status, answer.body), (200, path));
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(upstream.count(), 400);
        assert_eq!(gateway.observer().server().status().total_requests, 400);
        // At most one for each client and shard, of 400 requests.
        assert!(upstream.open() <= 40, "connections are used again: {}", upstream.open());
    });
}

#[tokio::test]
async fn a_body_that_fails_with_an_answer_is_answered_with_it() {
    let upstream = Upstream::echo().await;
    let judge = MapRequestLayer::new(|mut request: Request<Body>| {
        let refusal = Response::builder().status(422).header("x-by", "judge").body(Body::from("not that"));
        let failure: gateway_core::BoxError = Box::new(Instead::new(refusal.unwrap()));
        let frames = futures_util::stream::iter([Err::<Frame<bytes::Bytes>, _>(failure)]);
        *request.body_mut() = Body::new(StreamBody::new(frames));
        request
    });
    let registry = Registry::empty().with(LayerPlugin::new("judge", 1, judge));
    let gateway = gateway(&upstream, registry, &["judge"]);
    let weak = gateway.downgrade();
    let request = Request::post("/").header("host", "a").body(Body::from("evil")).unwrap();
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["x-by"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &HeaderValue::from_static("judge"))
    );
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "not that");
    assert!(weak.upgrade().is_none(), "a weak handle keeps nothing");
}
