//! A request through the gateway next to the same request on a bare hyper connection: the difference is what
//! the gateway costs, head checks, routing, forwarding fields, tries, pool and counters included.
//!
//! `cargo bench -p gateway-benches --bench forward`. Both talk to the same upstream over loopback, one
//! request at a time, so most of either figure is the kernel's.

#![allow(clippy::unwrap_used, reason = "a bench ends with its set-up")]

use std::{convert::Infallible, hint::black_box, net::SocketAddr, sync::Arc, thread};

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Route, Service},
};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// An upstream on a thread of its own that answers with 1 KiB.
fn upstream() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || runtime().block_on(answer(listener)));
    address
}

async fn answer(listener: std::net::TcpListener) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let body = Bytes::from(vec![b'x'; 1024]);
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        let service = service_fn(move |_| {
            let response = Response::new(Full::new(body.clone()));
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

fn request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/api/users/7?page=2".parse().unwrap_or_default();
    let fields = [("host", "api.example"), ("user-agent", "bench"), ("accept", "*/*")];
    for (name, value) in fields {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request
}

fn bare_hyper(c: &mut Criterion, upstream: SocketAddr) {
    let runtime = runtime();
    let mut sender = runtime.block_on(async {
        let stream = TcpStream::connect(upstream).await.unwrap();
        let _ = stream.set_nodelay(true);
        let opened = http1::handshake::<_, Body>(TokioIo::new(stream)).await;
        let (sender, connection) = opened.unwrap();
        tokio::spawn(connection);
        sender
    });
    c.bench_function("forward/bare hyper", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                sender.ready().await.unwrap();
                let response = sender.send_request(request()).await.unwrap();
                black_box(response.into_body().collect().await.unwrap())
            })
        });
    });
}

fn gateway(c: &mut Criterion, upstream: SocketAddr) {
    let mut service = Service::new("bench", &upstream.ip().to_string());
    service.port = upstream.port();
    let mut route = Route::new("bench").to(&service);
    route.paths = Some(vec!["/api".into()]);
    let gateway = Gateway::builder().config(Config::default().with(service).with(route)).build();
    let gateway = gateway.unwrap().for_worker(0);
    let info = Arc::new(ConnectInfo::new(([127, 0, 0, 1], 5000).into(), ([127, 0, 0, 1], 8000).into()));
    let runtime = runtime();
    c.bench_function("forward/gateway", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let response = gateway.handle(&info, request()).await;
                assert_eq!(response.status(), 200);
                black_box(response.into_body().collect().await.unwrap())
            })
        });
    });
}

fn forward(c: &mut Criterion) {
    let upstream = upstream();
    bare_hyper(c, upstream);
    gateway(c, upstream);
}

criterion_group!(benches, forward);
criterion_main!(benches);
