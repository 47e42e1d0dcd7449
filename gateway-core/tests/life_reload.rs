//! A thousand changes of the configuration under load: no request fails or sees two of them, no connection is
//! cut, and nothing of what has been stays behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use gateway_core::{
    Body,
    config::{Config, Plugin, Route, Service, Target, Upstream as UpstreamEntity, derived_id, schema::Field},
    plugin::{Exchange, Flow, Handler},
};
use http::{HeaderValue, Request, Response};
use tokio::{net::TcpListener, task::JoinHandle};
use wire::{Client, Custom, Edge, Setup, Upstream, eventually};

const RELOADS: usize = 1_000;

/// Stamps the version of its configuration on the request and on the answer.
struct Stamp {
    version: HeaderValue,
    alive: Arc<AtomicUsize>,
}

impl Handler for Stamp {
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        request.headers_mut().insert("x-version", self.version.clone());
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, _: &mut Exchange) -> Flow<Response<Body>> {
        response.headers_mut().insert("x-version", self.version.clone());
        Flow::Continue
    }
}

impl Drop for Stamp {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes stamps, and knows how many there are.
fn stamp(alive: &Arc<AtomicUsize>) -> Custom {
    let alive = Arc::clone(alive);
    Custom::new("stamp", 100, move |config| {
        let version = config["version"].as_str().ok_or("version: expected a text")?;
        let version = HeaderValue::from_str(version).map_err(|error| error.to_string())?;
        alive.fetch_add(1, Ordering::SeqCst);
        Ok(Stamp { version, alive: Arc::clone(&alive) })
    })
    .taking(vec![Field::string("version").required()])
}

/// What does not change: the upstreams and the sockets.
struct World {
    upstreams: [Upstream; 3],
    sockets: SocketAddr,
}

impl World {
    /// Version `n`: a service path and a plugin that both say so, other targets than in the version before, and
    /// routes that come and go.
    fn version(&self, n: usize) -> Config {
        let upstream = UpstreamEntity::new("group");
        let mut service = Service::new("stamped", "group");
        service.path = Some(format!("/v{n}"));
        let mut route = Route::new("stamped").to(&service);
        route.paths = Some(vec!["/api".into()]);
        let mut plugin =
            Plugin::new("stamp", serde_json::json!({ "version": format!("/v{n}") })).on_route(&route);
        plugin.id = derived_id("plugins", "stamp");
        let mut socket = Service::new("socket", "127.0.0.1");
        socket.port = self.sockets.port();
        socket.tags = Some(vec![format!("v{n}")]);
        let mut open = Route::new("socket").to(&socket);
        open.paths = Some(vec!["/socket".into()]);
        let mut config = Config::default().with(service).with(route).with(plugin).with(socket).with(open);
        for (number, at) in self.upstreams.iter().enumerate() {
            // Each version leaves one of them out, and weighs the others anew.
            if n % 4 != number {
                let mut target = Target::new(&upstream, &at.address.to_string());
                target.id = derived_id("targets", &number.to_string());
                target.weight = u16::try_from(10 + n % 5 * number).unwrap();
                config = config.with(target);
            }
        }
        for number in 0..n % 20 {
            let mut passing = Route::new(&format!("passing-{n}-{number}"));
            passing.paths = Some(vec![format!("/passing/{n}/{number}")]);
            config = config.with(passing);
        }
        config.with(upstream)
    }

    /// One that is wrong in two places.
    fn wrong(&self, n: usize) -> Config {
        let mut route = Route::new("wrong");
        route.paths = Some(vec!["~/(".into()]);
        self.version(n).with(route).with(Plugin::new("no-such-plugin", serde_json::json!({})))
    }
}

async fn websocket_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
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

/// Load that goes on until it is told to stop, and says how much it was.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Load {
    fn on(edge: &Edge) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let address = edge.address;
        let mut tasks = Vec::new();
        for number in 0..6 {
            tasks.push(tokio::spawn(http1(address, number, Arc::clone(&stop))));
        }
        tasks.push(tokio::spawn(http2(address, Arc::clone(&stop))));
        for _ in 0..4 {
            tasks.push(tokio::spawn(websocket(address, Arc::clone(&stop))));
        }
        Self { stop, tasks }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = 0;
        for task in self.tasks {
            all += task.await.unwrap();
        }
        all
    }
}

/// The path that the upstream saw and the version in the answer are of one configuration.
fn assert_one_version(stamped: Option<&str>, body: &str) {
    let version = stamped.expect("a stamp");
    assert!(body.starts_with(&format!("{version}/")), "{version} and {body}");
}

/// One connection from start to end; some requests carry bodies, some take long.
async fn http1(address: SocketAddr, number: usize, stop: Arc<AtomicBool>) -> usize {
    let mut client = Client::connect(address).await;
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        let (path, body) = match (number, count % 3) {
            (0, _) => ("/api/slow", String::new()),
            (_, 0) => ("/api/x", "y".repeat(1 << (count % 18))),
            _ => ("/api/x", String::new()),
        };
        let length = body.len();
        client
            .send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}"))
            .await;
        let answer = client.answer().await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert_one_version(answer.field("x-version"), &answer.body);
        count += 1;
    }
    count
}

async fn http2(address: SocketAddr, stop: Arc<AtomicBool>) -> usize {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        let streams: Vec<_> = (0..4)
            .map(|_| sender.send_request(Request::get("http://a/api/x").body(()).unwrap(), true).unwrap().0)
            .collect();
        for stream in streams {
            let (head, mut body) = stream.await.unwrap().into_parts();
            assert_eq!(head.status, 200);
            let mut text = Vec::new();
            while let Some(data) = body.data().await {
                text.extend(data.unwrap());
            }
            let version = head.headers.get("x-version").map(|version| version.to_str().unwrap());
            assert_one_version(version, &String::from_utf8(text).unwrap());
            count += 1;
        }
        sender = sender.ready().await.unwrap();
    }
    count
}

async fn websocket(address: SocketAddr, stop: Arc<AtomicBool>) -> usize {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/socket"), stream).await.unwrap();
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        socket.send(count.to_string().into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), count.to_string());
        count += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    count
}

/// Pages of memory in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

fn median(samples: &[usize]) -> usize {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

async fn start() -> (World, Edge, Arc<AtomicUsize>) {
    let upstreams = [Upstream::echo().await, Upstream::echo().await, Upstream::echo().await];
    let world = World { upstreams, sockets: websocket_echo().await };
    let alive = Arc::new(AtomicUsize::new(0));
    let mut setup = Setup::new(world.version(0));
    setup.registry = setup.registry.with(stamp(&alive));
    (world, setup.start(), alive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load_are_not_noticed() {
    let (world, edge, alive) = start().await;
    let ends = edge
        .gateway
        .snapshot()
        .config()
        .plugins
        .values()
        .find(|plugin| plugin.name == "ends")
        .cloned()
        .unwrap();
    let load = Load::on(&edge);
    eventually("the load", || edge.running.snapshot().requests > 50).await;
    let (mut snapshots, mut memory) = (Vec::<Weak<_>>::new(), Vec::new());
    for n in 1..=RELOADS {
        let config = world.version(n).with((*ends).clone());
        let change = edge.gateway.reload(&config).unwrap();
        assert!(!change.is_empty());
        snapshots.push(Arc::downgrade(&edge.gateway.snapshot()));
        // What the test itself writes down is not to be measured.
        edge.ends.take();
        world.upstreams.iter().for_each(|upstream| drop(upstream.take()));
        if n % 50 == 0 {
            let before = edge.gateway.snapshot();
            assert!(edge.gateway.reload(&world.wrong(n + 1)).is_err());
            assert!(edge.gateway.reload(&config).unwrap().is_empty());
            assert!(Arc::ptr_eq(&before, &edge.gateway.snapshot()), "neither changes anything");
            memory.push(resident());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let served = load.end().await;
    assert!(served > RELOADS, "{served} exchanges are no load");
    let counters = edge.running.snapshot();
    assert_eq!((counters.accepted, counters.panics), (11, 0), "no client had to connect again");
    let config = world.version(RELOADS).with((*ends).clone());
    // What a worker held at the last change is freed by the next.
    eventually("an end of all old snapshots and their handlers", || {
        assert!(edge.gateway.reload(&config).unwrap().is_empty());
        snapshots.iter().filter(|snapshot| snapshot.strong_count() > 0).count() == 1
            && alive.load(Ordering::SeqCst) == 1
    })
    .await;
    let quarters: Vec<_> = memory.chunks(memory.len() / 4).map(median).collect();
    let (second, last) = (quarters[1], quarters[3]);
    assert!(last * 10 <= second * 11, "{second} pages in the second quarter, {last} in the last: {memory:?}");
}

#[tokio::test]
async fn what_is_under_way_ends_where_it_began() {
    let (world, edge, _) = start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = edge.client().await;
        client.send("GET /api/slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    let upstreams = &world.upstreams;
    eventually("eight requests upstream", || upstreams.iter().map(Upstream::count).sum::<usize>() == 8).await;
    // Everything that they are on their way through goes.
    edge.gateway.reload(&Config::default()).unwrap();
    assert_eq!(edge.client().await.get("/api/x").await.unwrap().status, 404);
    for mut client in clients {
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "/v0/slow"));
        assert_eq!(answer.field("x-version"), Some("/v0"));
        assert_eq!(
            client.get("/api/x").await.unwrap().status,
            404,
            "the same connection, the new configuration"
        );
    }
    eventually("an end of the connections upstream", || {
        upstreams.iter().all(|upstream| upstream.open() == 0)
    })
    .await;
}

#[tokio::test]
async fn one_change_at_a_time_and_each_problem_before_it() {
    let (world, edge, alive) = start().await;
    let before = edge.gateway.snapshot();
    let problems = edge.gateway.reload(&world.wrong(1)).unwrap_err().to_string();
    assert!(problems.contains("no-such-plugin") && problems.contains("paths"), "both are named: {problems}");
    assert!(Arc::ptr_eq(&before, &edge.gateway.snapshot()));
    assert_eq!(alive.load(Ordering::SeqCst), 1, "no handler of the refused one is left");
    let change = before.config().diff(&world.version(1));
    edge.gateway.apply(&change).unwrap();
    assert_eq!(edge.client().await.get("/api/x").await.unwrap().body, "/v1/x");
    let change = edge.gateway.snapshot().config().diff(&world.wrong(2));
    edge.gateway.apply(&change).unwrap_err();
    assert_eq!(edge.client().await.get("/api/x").await.unwrap().body, "/v1/x");
}

#[tokio::test]
async fn a_change_elsewhere_keeps_the_connections_upstream() {
    let (world, edge, _) = start().await;
    let mut client = edge.client().await;
    for _ in 0..9 {
        client.get("/api/x").await.unwrap();
    }
    let connections = |world: &World| -> Vec<usize> { world.upstreams.iter().map(Upstream::open).collect() };
    let before = connections(&world);
    let mut route = Route::new("other");
    route.paths = Some(vec!["/other".into()]);
    let config = edge.gateway.snapshot().config().clone().with(route);
    let change = edge.gateway.reload(&config).unwrap();
    assert_eq!((change.routes.len(), change.services.len(), change.targets.len()), (1, 0, 0));
    for _ in 0..9 {
        assert_eq!(client.get("/api/x").await.unwrap().status, 200);
    }
    assert_eq!(connections(&world), before);
    let seen = world.upstreams.iter().flat_map(Upstream::take);
    assert!(seen.into_iter().all(|seen| seen.connection == 0), "one connection each, before and after");
}
