//! The request edge behind hyper, with raw bytes over real sockets: what hyper refuses and what the
//! layer refuses add up to the rows of docs/threat-model.md.

// A helper of a test may fail as the test itself does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{convert::Infallible, time::Duration};

use gateway_core::{
    Body,
    sanitize::{Canonical, Rules, SanitizeLayer, UpstreamGuardLayer},
};
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

const PATIENCE: Duration = Duration::from_secs(10);

/// Answers with the target and the fields as the inner service sees them, one a line.
async fn echo(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let host = request.extensions().get::<Canonical>().map(|canonical| canonical.host.name().to_owned());
    let mut seen = format!("{} {} {}\n", request.method(), request.uri(), host.unwrap_or_default());
    for (name, value) in request.headers() {
        seen.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    Ok(Response::new(Body::from(seen)))
}

async fn serve(version: Version) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service =
            ServiceBuilder::new().layer(SanitizeLayer::new(Rules::default())).service(service_fn(echo));
        let (service, io) = (TowerToHyperService::new(service), TokioIo::new(stream));
        // An error here is one that the client sees as a closed connection.
        let _ = if version == Version::HTTP_2 {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
        } else {
            hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
        };
    });
    TcpStream::connect(address).await.unwrap()
}

/// Sends `bytes`, closes the writing half, and reads until the other end closes too.
async fn exchange(bytes: &[u8]) -> String {
    let mut stream = serve(Version::HTTP_11).await;
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn each_row_gets_its_status_over_http_1() {
    for (row, bytes, expected) in [
        (
            "F1, D6",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            200,
        ),
        ("F2", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        ("F2", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        ("F2", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked,\r\n\r\n", 400),
        ("F3", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("F3", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        (
            "F3",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        ("F4", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("F5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        ("F5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("F5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3,3\r\n\r\nabc", 400),
        ("F5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\nContent-Length: 3\r\n\r\nabc", 200),
        ("F6", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("F6", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
        ("F6", "GET / HTTP/1.1\r\nHost: a\r\nX: y\0\r\n\r\n", 400),
        ("F7", "GET / HTTP/1.1\nHost: a\n\n", 200),
        ("F12", "POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
        ("T1, P9", "GET / HTTP/1.1\r\n\r\n", 400),
        ("T1, P9", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("T1", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("T1, P9", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("T1", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("T1", "GET / HTTP/1.0\r\n\r\n", 200),
        ("T2", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T2", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T2", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T5, P11", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405),
        ("T5, P11", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("T5, P11", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("T5, P9", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T5", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("P9", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T6, P9", "GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T6, P9", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T6, P9", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T6, P9", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("T6", "GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("W1", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 426),
        ("W1", "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        ("W1", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
    ] {
        let answer = exchange(bytes.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{row}: {bytes:?} -> {answer:?}");
    }
}

#[tokio::test]
async fn limits_over_http_1() {
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(8192));
    assert_eq!(status(&exchange(target.as_bytes()).await), 414);
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(33_000));
    assert_eq!(status(&exchange(head.as_bytes()).await), 431);
}

#[tokio::test]
async fn a_refusal_in_doubt_of_the_framing_closes() {
    let answer = exchange(b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let answer = exchange(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
}

#[tokio::test]
async fn the_inner_service_sees_one_form() {
    let answer = exchange(
        b"GET http://A.example:80/x//y/../%7ez?q#frag HTTP/1.1\r\nHost: a.EXAMPLE.\r\nConnection: x-gone, host, TE\r\n\
          X-Gone: 1\r\nTE: trailers, gzip\r\nKeep-Alive: 5\r\nX-Consumer-ID: me\r\nX-Kept: 1\r\n\r\n",
    )
    .await;
    let seen = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap();
    let mut lines: Vec<&str> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["GET /x/~z?q a.example", "host: a.example", "te: trailers", "x-kept: 1"]);
}

/// Sends one request over HTTP/2 and gives status and body.
async fn over_http_2(uri: &str, fields: &[(&'static str, &'static str)]) -> (u16, String) {
    let stream = serve(Version::HTTP_2).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = timeout(PATIENCE, sender.send_request(request)).await.expect("an answer in time").unwrap();
    let status = response.status().as_u16();
    let body = timeout(PATIENCE, response.into_body().collect()).await.expect("a body in time").unwrap();
    (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn row_t3_and_x1_over_http_2() {
    let (status, seen) =
        over_http_2("http://a/x", &[("host", "b"), ("cookie", "a=1"), ("cookie", "b=2")]).await;
    let mut lines: Vec<&str> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!((status, lines), (200, vec!["GET /x a", "cookie: a=1; b=2", "host: a"]));
    assert_eq!(over_http_2("http://a/", &[("host", "a"), ("host", "a")]).await.0, 400);
    assert_eq!(over_http_2("ftp://a/", &[]).await.0, 400);
    assert_eq!(over_http_2("http://u:p@a/", &[]).await.0, 400);
    assert_eq!(over_http_2("http://a/", &[("expect", "magic")]).await.0, 417);
}

#[tokio::test]
async fn the_upstream_guard_refuses_and_strips() {
    let upstream = service_fn(async |request: Request<u16>| {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(request.into_body()).unwrap();
        response.headers_mut().insert("keep-alive", http::HeaderValue::from_static("5"));
        Ok::<_, Infallible>(response)
    });
    let mut guarded = ServiceBuilder::new().layer(UpstreamGuardLayer).service(upstream);
    let response = guarded.ready().await.unwrap().call(Request::new(200)).await.unwrap();
    assert_eq!(*response.headers(), HeaderMap::new());
    for status in [101, 999] {
        let error = guarded.ready().await.unwrap().call(Request::new(status)).await.unwrap_err();
        assert_eq!(error.to_string(), "bad_response", "{status}");
    }
}
