//! Protocols, limits, panics, counters and tunnels.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_core::{
    Body, ConnectInfo,
    server::{Connections, Drain, Refusal, Serve, Server, Settings, TowerServe, serve_connection},
};
use http::{Request, Response, StatusCode};
use server_kit::{head, hello_http2, http2_client, request, settings, start, tester};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

#[tokio::test]
async fn one_clear_port_speaks_http1_and_http2() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
    assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
    let mut http2 = http2_client(server.connect().await.0).await;
    let answer = http2.send_request(request("/")).await.unwrap();
    assert_eq!(server_kit::status_and_len(answer).await, (StatusCode::OK, 5));
    let now = server.running.snapshot();
    assert_eq!((now.accepted, now.handled, now.active, now.requests), (2, 2, 2, 3));
    assert_eq!((now.reading, now.writing, now.waiting), (0, 0, 2));
}

#[tokio::test]
async fn first_bytes_in_pieces_are_put_together() {
    let server = start(settings(), tester());
    for text in
        [b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), b"POST / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()]
    {
        let mut client = server.connect().await;
        for byte in text {
            client.send([byte]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(client.read_until("hello").await.starts_with("HTTP/1.1 200 "));
    }
    let mut client = server.connect().await;
    let hello = [hello_http2(&[]), head(1, "GET", "/", true)].concat();
    for piece in hello.chunks(5) {
        client.send(piece).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.eventually(|snapshot| snapshot.requests == 3).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    let ask = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    client.send([ask("/slow"), ask("/"), ask("/slow")].concat()).await;
    let mut read = String::new();
    while read.matches("hello").count() < 3 {
        read.push_str(&client.read_until("hello").await);
    }
    assert_eq!(read.matches("HTTP/1.1 200 ").count(), 3);
}

#[tokio::test]
async fn what_the_parser_refuses_is_answered_and_counted() {
    let server = start(settings(), tester());
    let refused = |head: String| {
        let server = &server;
        async move {
            let mut client = server.connect().await;
            client.send(head).await;
            String::from_utf8(client.until_closed().await.0).unwrap()
        }
    };
    assert!(refused("GET / HTTP/1.1\r\nbad name: x\r\n\r\n".into()).await.starts_with("HTTP/1.1 400 "));
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(33 << 10));
    assert!(refused(large).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert!(refused(many).await.starts_with("HTTP/1.1 431 "));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let long = refused(long).await;
    assert!(long.starts_with("HTTP/1.1 414 ") || long.starts_with("HTTP/1.1 431 "), "{long}");
    server
        .eventually(|now| now.refused(Refusal::BadRequest) == 1 && now.refused(Refusal::TooLarge) == 3)
        .await;
    assert_eq!(server.running.snapshot().requests, 0);
}

#[tokio::test]
async fn http2_without_http2_is_counted() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    client.send([server_kit::PREFACE, b"this is no frame at all"].concat()).await;
    client.until_closed().await;
    server.eventually(|snapshot| snapshot.refused(Refusal::Http2) == 1).await;
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_goes_on() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let end = "An unexpected error occurred";
    assert!(client.read_until(end).await.starts_with("HTTP/1.1 500 "));
    assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
    let mut http2 = http2_client(server.connect().await.0).await;
    let answer = http2.send_request(request("/panic")).await.unwrap();
    assert_eq!(server_kit::status_and_len(answer).await, (StatusCode::INTERNAL_SERVER_ERROR, end.len()));
    http2.ready().await.unwrap();
    assert_eq!(http2.send_request(request("/")).await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.running.snapshot().panics, 2);
    server.eventually(|snapshot| snapshot.writing == 0).await;
}

#[tokio::test]
async fn a_panic_before_the_future_and_one_in_the_body_are_contained_too() {
    #[derive(Clone)]
    struct Panics;
    impl Serve for Panics {
        type Future = std::future::Ready<Response<Body>>;

        fn serve(&self, _: &Arc<ConnectInfo>, request: Request<Body>) -> Self::Future {
            assert_eq!(request.uri().path(), "/body", "as the test wants");
            std::future::ready(Response::new(Body::new(PanickingBody)))
        }

        fn panicked() -> Response<Body> {
            let mut response = Response::new(Body::from("mine"));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
    let server = start(settings(), Panics);
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.read_until("mine").await.starts_with("HTTP/1.1 502 "));
    client.send("GET /body HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let read = String::from_utf8(client.until_closed().await.0).unwrap();
    assert!(!read.contains("\r\n0\r\n"), "a body cut short must not look whole: {read}");
    server.eventually(|snapshot| snapshot.panics == 2 && snapshot.active == 0).await;
}

struct PanickingBody;

impl http_body::Body for PanickingBody {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
        panic!("as the test wants")
    }
}

#[tokio::test]
async fn over_the_limit_comes_503_and_a_place_that_is_free_again_is_used() {
    let mut limited = settings();
    limited.max_connections = 2;
    let server = start(limited, tester());
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.get("/").await;
    second.get("/").await;
    let (read, _) = server.connect().await.until_closed().await;
    assert!(read.starts_with(b"HTTP/1.1 503 "));
    drop(first);
    // A connection is told of as over before its place is free.
    while server.drain().connections() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.connect().await.get("/").await;
    let now = server.running.snapshot();
    assert_eq!((now.accepted, now.handled, now.refused(Refusal::OverLimit)), (4, 3, 1));
}

#[tokio::test]
async fn a_tunnel_counts_until_it_ends() {
    let server = start(settings(), tester());
    let mut tunnel = server.connect().await;
    tunnel.send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly").await;
    assert!(tunnel.read_until("early").await.starts_with("HTTP/1.1 101 "));
    tunnel.send("and late").await;
    tunnel.read_until("and late").await;
    assert_eq!(server.running.snapshot().active, 1);
    drop(tunnel);
    server.eventually(|snapshot| snapshot.active == 0).await;
    timeout(Duration::from_secs(10), async {
        while server.drain().connections() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it has a place still");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_request() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut http2 = server.connect().await;
    http2.send([hello_http2(&[]), head(1, "GET", "/never", true)].concat()).await;
    server.eventually(|snapshot| snapshot.writing == 2).await;
    drop((client, http2));
    server.eventually(|snapshot| snapshot.active == 0 && snapshot.writing == 0).await;
}

#[tokio::test]
async fn bodies_go_both_ways() {
    let server = start(settings(), tester());
    let mut client = server.connect().await;
    let body = "0123456789".repeat(20_000);
    client
        .send(format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
        .await;
    assert!(client.read_until(&body).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn each_worker_has_a_service_of_its_own_and_a_dead_one_is_reported() {
    let server = Server::new(settings()).listen(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let address = server.addresses()[0];
    let running = server
        .start(|worker| {
            assert_ne!(worker, 1, "as the test wants");
            move |_: &Arc<ConnectInfo>, _: Request<Body>| async move {
                Response::new(Body::from(format!("from {worker} hello")))
            }
        })
        .unwrap();
    let server = server_kit::TestServer { address, running };
    let from_the_other = async || {
        // Who is in the dead worker's queue when it closes is reset, as early as in `connect`.
        let Ok(stream) = TcpStream::connect(server.address).await else { return false };
        let mut client = server_kit::Client(stream);
        client.try_send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        client.until_closed().await.0.ends_with(b"from 0 hello")
    };
    // The kernel sends nothing to the listener of a worker that is gone, which takes that worker a while.
    let mut in_a_row = 0;
    timeout(Duration::from_secs(10), async {
        while in_a_row < 10 {
            in_a_row = if from_the_other().await { in_a_row + 1 } else { 0 };
        }
    })
    .await
    .expect("some connections meet nobody");
    let dead = server.running.run(std::future::ready(())).await;
    assert_eq!(dead, [1]);
}

#[tokio::test]
async fn an_embedder_serves_what_he_accepted() {
    let info = || ConnectInfo::new("192.0.2.1:5".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
    let peer = |info: &Arc<ConnectInfo>, _: Request<Body>| {
        let text = format!("{} hello", info.peer());
        async { Response::new(Body::from(text)) }
    };
    let drain = Drain::new();
    let connections = Connections::new(&Settings::default(), &drain);
    let (mut client, server) = tokio::io::duplex(1024);
    let task = tokio::spawn({
        let connections = connections.clone();
        async move { connections.serve(server, info(), peer).await }
    });
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut read = vec![0; 1024];
    let len = client.read(&mut read).await.unwrap();
    assert!(read[..len].ends_with(b"192.0.2.1:5 hello"));
    assert_eq!(connections.counters().snapshot().waiting, 1);
    drain.begin();
    timeout(Duration::from_secs(10), drain.finished()).await.unwrap();
    task.await.unwrap();
    let (mut client, server) = tokio::io::duplex(1024);
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    serve_connection(server, info(), peer).await;
    let len = client.read(&mut read).await.unwrap();
    assert!(read[..len].starts_with(b"HTTP/1.0 200 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_of_several_threads_serves_many_streams_at_once() {
    let drain = Drain::new();
    // So long that no stream of a busy machine waits in vain, and that there is an end of it while they run.
    let patience = Duration::from_secs(1);
    let mut settings = settings();
    (settings.timeouts.body_idle, settings.timeouts.write_idle) = (patience, patience);
    let connections = Connections::new(&settings, &drain);
    let info = ConnectInfo::new("192.0.2.1:5".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
    let (client, server) = tokio::io::duplex(4096);
    let task = tokio::spawn({
        let connections = connections.clone();
        async move { connections.serve(server, info, tester()).await }
    });
    let client = http2_client(client).await;
    let workers: Vec<_> = (0..50)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let (begin, mut answers) = (Instant::now(), 0);
                while begin.elapsed() < patience + patience / 4 {
                    client.ready().await.unwrap();
                    let body = http_body_util::Full::from("x".repeat(3_000));
                    let request = Request::post("http://a/echo").body(body).unwrap();
                    let answer = client.send_request(request).await.unwrap();
                    assert_eq!(server_kit::status_and_len(answer).await, (StatusCode::OK, 3_000));
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let mut answers = 0;
    for worker in workers {
        answers += worker.await.unwrap();
    }
    // What ends on another thread has told its client first.
    let now = || connections.counters().snapshot();
    timeout(Duration::from_secs(10), async {
        while (now().requests, now().writing, now().waiting) != (answers, 0, 1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{answers} answers: {:?}", now()));
    drain.begin();
    task.await.unwrap();
    assert_eq!(now().active, 0);
}

#[tokio::test]
async fn a_tower_service_is_served_and_finds_its_connection() {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let info = request.extensions().get::<Arc<ConnectInfo>>().unwrap();
        Ok::<_, Infallible>(Response::new(Body::from(format!("{} hello", info.local()))))
    });
    let server = start(settings(), TowerServe(service));
    let answer = server.connect().await.get("/").await;
    assert!(answer.ends_with(&format!("{} hello", server.address)), "{answer}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_reaches_who_goes_on_sending() {
    let mut settings = settings();
    settings.timeouts.linger = Duration::from_secs(5);
    let server = start(settings, tester());
    for fields in ["", "connection: close\r\n"] {
        let mut client = server.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}content-length: 20000000\r\n\r\n")).await;
        client.send(vec![b'x'; 20_000_000]).await;
        let mut read = Vec::new();
        client.0.read_to_end(&mut read).await.expect("a close, not a reset");
        assert!(read.starts_with(b"HTTP/1.1 200 ") && read.ends_with(b"hello"));
    }
}

#[tokio::test]
async fn who_does_not_stop_sending_after_the_answer_is_cut_off() {
    let mut settings = settings();
    settings.timeouts.linger = Duration::from_millis(20);
    let server = start(settings, tester());
    let mut silent = server.connect().await;
    silent.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n").await;
    let mut endless = server.connect().await;
    endless.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let end = timeout(Duration::from_secs(30), async { while endless.try_send("1\r\nx\r\n").await {} });
    end.await.expect("an end");
    server.eventually(|snapshot| snapshot.active == 0).await;
}
