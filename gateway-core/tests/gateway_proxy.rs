//! Requests through a gateway to a real upstream over real sockets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Route, Service},
    observe::{AccessLog, Sink},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// An upstream that answers with what it was asked.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: Request<Incoming>| async move {
                let mut text = format!("{} {}\n", request.method(), request.uri());
                for (name, value) in request.headers() {
                    text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                text.push_str(&format!("body: {} bytes\n", body.len()));
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

fn to(upstream: SocketAddr) -> Gateway {
    let mut service = Service::new("echo", &upstream.ip().to_string());
    service.port = upstream.port();
    let mut route = Route::new("echo").to(&service);
    route.paths = Some(vec!["/api".into()]);
    Gateway::builder().config(Config::default().with(service).with(route)).build().unwrap()
}

async fn ask(gateway: &Gateway, request: Request<Body>) -> (http::response::Parts, String) {
    let info = ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "127.0.0.1:8000".parse().unwrap());
    let info = Arc::new(info);
    let response = tokio::time::timeout(Duration::from_secs(5), gateway.handle(&info, request));
    let (parts, body) = response.await.unwrap().into_parts();
    (parts, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_goes_up_with_the_forwarding_fields_and_comes_down_with_the_gateways() {
    let upstream = echo().await;
    let gateway = to(upstream);
    let request = Request::get("/api/x?q=1").header("host", "a.example:8000").body(Body::empty()).unwrap();
    let (head, text) = ask(&gateway, request).await;
    assert_eq!(head.status, 200);
    for line in [
        "GET /x?q=1",
        &format!("host: {upstream}"),
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: http",
        "x-forwarded-host: a.example",
        "x-forwarded-port: 8000",
        "x-forwarded-path: /api/x",
        "x-forwarded-prefix: /api",
        "x-real-ip: 192.0.2.7",
        "via: 1.1 gateway/",
        "x-kong-request-id: ",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} in\n{text}");
    }
    for name in ["x-kong-upstream-latency", "x-kong-proxy-latency", "x-kong-request-id", "via", "server"] {
        assert!(head.headers.contains_key(name), "{name} in {:?}", head.headers);
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = echo().await;
    let gateway = to(upstream).for_worker(0);
    for _ in 0..20 {
        let request = Request::get("/api").header("host", "a").body(Body::empty()).unwrap();
        assert_eq!(ask(&gateway, request).await.0.status, 200);
    }
    let text =
        ask(&gateway, Request::get("/nowhere").header("host", "a").body(Body::empty()).unwrap()).await.1;
    assert!(text.contains("no Route matched with those values"), "{text}");
}

#[tokio::test]
async fn a_streamed_body_arrives_whole() {
    let gateway = to(echo().await);
    for size in [1, 70_000, 1_000_000] {
        let body = Body::new(Full::new(Bytes::from(vec![b'x'; size])));
        let request = Request::post("/api").header("host", "a").body(body).unwrap();
        let (head, text) = ask(&gateway, request).await;
        assert_eq!(head.status, 200);
        assert!(text.ends_with(&format!("body: {size} bytes\n")), "{text}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_502_with_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let request = Request::get("/api").header("host", "a").body(Body::empty()).unwrap();
    let (head, text) = ask(&to(address), request).await;
    assert_eq!(head.status, 502);
    assert!(text.contains("An invalid response was received from the upstream server"), "{text}");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_counted_and_logged() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut service = Service::new("silent", "127.0.0.1");
    service.port = silent.local_addr().unwrap().port();
    let mut route = Route::new("silent").to(&service);
    route.paths = Some(vec!["/".into()]);
    let lines = Lines::default();
    let log = AccessLog::start(Sink::Writer(Box::new(lines.clone())), 1).unwrap();
    let gateway = Gateway::builder()
        .config(Config::default().with(service).with(route))
        .access_log(log)
        .build()
        .unwrap();
    let request = Request::get("/left").header("host", "a").body(Body::empty()).unwrap();
    let connection = Arc::new(ConnectInfo::unknown());
    let answer = gateway.handle(&connection, request);
    assert!(tokio::time::timeout(Duration::from_millis(100), answer).await.is_err());
    let status = gateway.observer().server().status();
    assert_eq!((status.total_requests, status.connections_writing), (1, 0));
    drop(gateway);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for part in ["\"uri\":\"/left\"", "\"status\":499", "\"reason\":\"client_closed\"", "\"tries\":1"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn what_a_route_leaves_of_a_path_does_not_climb_behind_escaped_slashes() {
    let gateway = to(echo().await);
    for (path, expected) in [
        ("/api..%2f..%2fetc", Err(())),
        ("/api..%2Fetc", Err(())),
        ("/api/..%2Fetc", Err(())),
        ("/api/x%2f..%2F..%2fetc", Err(())),
        ("/api../..%2Fetc", Err(())),
        ("/api/x%2f..%2fy", Ok("/x%2F..%2Fy")),
        ("/api/x%2fy", Ok("/x%2Fy")),
    ] {
        let request = Request::get(path).header("host", "a").body(Body::empty()).unwrap();
        let (head, text) = ask(&gateway, request).await;
        match expected {
            Ok(sent) => assert!(text.starts_with(&format!("GET {sent}\n")), "{path}: {text}"),
            Err(()) => assert_eq!(head.status, 400, "{path}: {text}"),
        }
    }
}
