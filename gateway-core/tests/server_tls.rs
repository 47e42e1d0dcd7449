//! Certificates by name, swapped under handshakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo,
    config::Config,
    server::{Certificates, Connections, Drain, Refusal, Serve},
};
use http::{Request, Response};
use server_kit::{TestServer, TlsStream, certified, connect_tls, http2_client, request, settings, start_tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

/// Answers with what TLS settled.
fn tls_teller() -> impl Serve {
    |info: &Arc<ConnectInfo>, _: Request<Body>| {
        let tls = info.tls().unwrap();
        let alpn = tls.alpn.as_deref().map(String::from_utf8_lossy);
        let text = format!("{:?} {alpn:?} {:?} {:?}", tls.sni, tls.version, tls.cipher.is_some());
        async { Response::new(Body::from(text)) }
    }
}

/// Answers when it may, and not before.
fn held(go: watch::Receiver<bool>) -> impl Serve {
    move |_: &Arc<ConnectInfo>, _: Request<Body>| {
        let mut go = go.clone();
        async move {
            go.wait_for(|go| *go).await.unwrap();
            Response::new(Body::from("hello"))
        }
    }
}

fn server(config: &Config) -> (TestServer, Certificates) {
    let certificates = Certificates::new(config).unwrap();
    (start_tls(settings(), &certificates, tls_teller()), certificates)
}

fn leaf(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn the_protocol_follows_alpn_and_the_service_knows_the_handshake() {
    let (server, _) = server(&certified(&["a.example"]));
    let answer = get(&mut connect_tls(server.address, "A.example", None).await.unwrap()).await;
    assert!(answer.ends_with(r#"Some("a.example") None Some("TLSv1.3") true"#), "{answer}");
    let mut http1 = connect_tls(server.address, "a.example", Some(b"http/1.1")).await.unwrap();
    assert!(get(&mut http1).await.contains(r#"Some("http/1.1")"#));
    let stream = connect_tls(server.address, "a.example", Some(b"h2")).await.unwrap();
    let mut http2 = http2_client(stream).await;
    let answer = http2.send_request(request("/")).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, r#"Some("a.example") Some("h2") Some("TLSv1.3") true"#);
}

#[tokio::test]
async fn each_name_gets_its_certificate() {
    let (server, certificates) = server(&certified(&["a.example", "*.example", "b.*"]));
    let mut seen = Vec::new();
    for name in ["a.example", "x.example", "b.test"] {
        seen.push(leaf(&connect_tls(server.address, name, None).await.unwrap()));
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
    assert_eq!(seen[1], leaf(&connect_tls(server.address, "y.example", None).await.unwrap()));
    assert!(connect_tls(server.address, "c.test", None).await.is_err());
    let (cert, key) = server_kit::self_signed("default");
    certificates.set_default(&cert, &key).unwrap();
    assert!(connect_tls(server.address, "c.test", None).await.is_ok());
}

#[tokio::test]
async fn a_swap_is_seen_by_the_next_handshake_only() {
    let (server, certificates) = server(&certified(&["a.example"]));
    let mut old = connect_tls(server.address, "a.example", None).await.unwrap();
    certificates.replace(&certified(&["a.example"])).unwrap();
    let new = connect_tls(server.address, "a.example", None).await.unwrap();
    assert_ne!(leaf(&old), leaf(&new));
    assert!(get(&mut old).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_embedder_serves_tls_on_what_he_accepted() {
    let certificates = Certificates::new(&certified(&["a.example"])).unwrap();
    let connections = Connections::new(&settings(), &Drain::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn({
        let connections = connections.clone();
        async move {
            let (stream, peer) = listener.accept().await.unwrap();
            connections.serve_tls(stream, ConnectInfo::new(peer, address), &certificates, tls_teller()).await;
        }
    });
    let mut stream = connect_tls(address, "a.example", None).await.unwrap();
    assert!(get(&mut stream).await.contains(r#"Some("a.example")"#));
    task.await.unwrap();
    assert_eq!(connections.counters().snapshot().requests, 1);
}

#[tokio::test]
async fn a_stop_lets_requests_over_tls_end() {
    // Nothing is answered before all are seen: three handshakes may take any time.
    let (go, gone) = watch::channel(false);
    let certificates = Certificates::new(&certified(&["a.example"])).unwrap();
    let server = start_tls(settings(), &certificates, held(gone));
    let mut http1 = connect_tls(server.address, "a.example", None).await.unwrap();
    http1.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let stream = connect_tls(server.address, "a.example", Some(b"h2")).await.unwrap();
    let mut http2 = http2_client(stream).await;
    let answer = http2.send_request(request("/slow"));
    let unused = connect_tls(server.address, "a.example", None).await.unwrap();
    let answer = tokio::spawn(answer);
    server.eventually(|now| now.writing == 2 && now.active == 3).await;
    server.drain().begin();
    // Requests go on when the time in which idle connections go is over.
    tokio::time::sleep(Duration::from_millis(700)).await;
    go.send(true).unwrap();
    let mut read = String::new();
    // The end is a clean one: close_notify, not a cut.
    http1.read_to_string(&mut read).await.unwrap();
    assert!(read.contains("connection: close\r\n") && read.ends_with("hello"), "{read}");
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    drop(unused);
    tokio::time::timeout(Duration::from_secs(2), server.drain().finished()).await.unwrap();
}

#[tokio::test]
async fn swaps_under_handshakes_fail_none() {
    let (server, certificates) = server(&certified(&["a.example"]));
    let (address, pair) = (server.address, [certified(&["a.example"]), certified(&["a.example"])]);
    let swaps = tokio::task::spawn_blocking(move || {
        for swap in 0..200 {
            certificates.replace(&pair[swap % 2]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let mut shaken = 0;
    while !swaps.is_finished() || shaken < 20 {
        connect_tls(address, "a.example", None).await.unwrap();
        shaken += 1;
    }
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_reason() {
    let (server, _) = server(&certified(&["a.example"]));
    let counted = |refusal| move |now: &gateway_core::server::Snapshot| now.refused(refusal) == 1;
    connect_tls(server.address, "b.example", None).await.unwrap_err();
    server.eventually(counted(Refusal::NoCertificate)).await;
    connect_tls(server.address, "a.example", Some(b"smtp")).await.unwrap_err();
    server.eventually(counted(Refusal::Incompatible)).await;
    let mut clear = server.connect().await;
    clear.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    clear.until_closed().await;
    server.eventually(counted(Refusal::BadHandshake)).await;
    drop(server.connect().await);
    server.eventually(counted(Refusal::HandshakeClosed)).await;
    // A fatal alert, certificate_unknown.
    let mut alert = server.connect().await;
    alert.send([21, 3, 3, 0, 2, 2, 46]).await;
    alert.until_closed().await;
    server.eventually(counted(Refusal::ClientAlert)).await;
    server.eventually(|now| now.active == 0).await;
}

#[tokio::test]
async fn without_any_certificate_every_handshake_is_refused() {
    let (server, certificates) = server(&Config::default());
    connect_tls(server.address, "a.example", None).await.unwrap_err();
    server.eventually(|now| now.refused(Refusal::NoCertificate) == 1).await;
    certificates.replace(&certified(&["*"])).unwrap();
    connect_tls(server.address, "a.example", None).await.unwrap();
}
