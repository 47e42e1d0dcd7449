//! The PROXY protocol on listeners: who is behind a proxy, told by the proxies that are trusted, and by nobody else
//! (threat model H6).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway, Settings as GatewaySettings,
    config::{Config, Route, Service},
    sanitize::TrustedIps,
    server::{Certificates, Connections, Drain, Listen, Refusal, Serve, Server, Settings, Timeout},
};
use http::{Request, Response};
use server_kit::{
    Client, PATIENCE, TestServer, certified, http2_client, impatient, request, settings, tester,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const LINE: &str = "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n";
const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// Version 2 with a source of 192.0.2.7:5000 and a TLV.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\x02\x07\xc0\0\x02\x01\x13\x88\x01\xbb\x04\0\x02ab";

/// A health check of the proxy's own.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Answers with who is there.
fn teller() -> impl Serve {
    |info: &Arc<ConnectInfo>, _: Request<Body>| {
        let proxy = info.proxy().map(|proxy| proxy.ip());
        let text = format!("{} by {proxy:?}, tls {}", info.peer(), info.tls().is_some());
        async { Response::new(Body::from(text)) }
    }
}

fn trusted(network: &str) -> TrustedIps {
    [network.parse().unwrap()].into_iter().collect()
}

fn serve_on(settings: Settings, listen: Listen, serve: impl Serve) -> TestServer {
    let server = Server::new(settings).listen_as(listen).bind().unwrap();
    let address = server.addresses()[0];
    TestServer { address, running: server.start(move |_| serve.clone()).unwrap() }
}

fn anywhere() -> Listen {
    Listen::on(([127, 0, 0, 1], 0).into())
}

fn start(settings: Settings, serve: impl Serve) -> TestServer {
    serve_on(settings, anywhere().with_proxy_protocol(trusted("127.0.0.0/8")), serve)
}

async fn answer(client: &mut Client, bytes: impl AsRef<[u8]>) -> String {
    client.send(bytes).await;
    String::from_utf8(client.until_closed().await.0).unwrap()
}

#[tokio::test]
async fn h6_the_source_that_a_trusted_proxy_tells_is_the_peer() {
    let server = start(settings(), teller());
    for head in [LINE.as_bytes(), BINARY] {
        let told = answer(&mut server.connect().await, [head, GET.as_bytes()].concat()).await;
        assert!(told.ends_with("192.0.2.7:5000 by Some(127.0.0.1), tls false"), "{told}");
    }
    let told = answer(&mut server.connect().await, format!("PROXY TCP6 2001:db8::7 :: 1 2\r\n{GET}")).await;
    assert!(told.ends_with("[2001:db8::7]:1 by Some(127.0.0.1), tls false"), "{told}");
}

#[tokio::test]
async fn h6_where_the_proxy_speaks_for_itself_the_peer_stays() {
    let server = start(settings(), teller());
    for head in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut client = server.connect().await;
        let me = client.0.local_addr().unwrap();
        let told = answer(&mut client, [head, GET.as_bytes()].concat()).await;
        assert!(told.ends_with(&format!("{me} by None, tls false")), "{told}");
    }
}

#[tokio::test]
async fn h6_it_may_come_byte_by_byte() {
    let server = start(settings(), teller());
    for head in [LINE.as_bytes(), BINARY] {
        let mut client = server.connect().await;
        for byte in [head, GET.as_bytes()].concat() {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        let told = String::from_utf8(client.until_closed().await.0).unwrap();
        assert!(told.ends_with("192.0.2.7:5000 by Some(127.0.0.1), tls false"), "{told}");
    }
}

#[tokio::test]
async fn h6_tls_and_http_2_follow_it() {
    let certificates = Certificates::new(&certified(&["a.example"])).unwrap();
    let listen = anywhere().with_tls(&certificates).with_proxy_protocol(trusted("127.0.0.1/32"));
    let server = serve_on(settings(), listen, teller());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(BINARY).await.unwrap();
    let mut stream = server_kit::tls_over(stream, "a.example", None).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.ends_with("192.0.2.7:5000 by Some(127.0.0.1), tls true"), "{told}");

    let server = start(settings(), teller());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(LINE.as_bytes()).await.unwrap();
    let answer = http2_client(stream).await.send_request(request("/")).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "192.0.2.7:5000 by Some(127.0.0.1), tls false");
}

#[tokio::test]
async fn h6_who_is_not_trusted_is_refused_before_a_byte_is_read() {
    let listen = anywhere().with_proxy_protocol(trusted("10.0.0.0/8"));
    let server = serve_on(settings(), listen, teller());
    let (read, _) = server.connect().await.until_closed().await;
    assert_eq!(read, b"");
    server
        .eventually(|snapshot| snapshot.refused(Refusal::ProxyUntrusted) == 1 && snapshot.active == 0)
        .await;
    let nobody = serve_on(settings(), anywhere().with_proxy_protocol(TrustedIps::default()), teller());
    assert_eq!(nobody.connect().await.until_closed().await.0, b"");
}

#[tokio::test]
async fn h6_a_listener_that_demands_it_takes_nothing_else() {
    let server = start(settings(), teller());
    for bytes in [GET, "PROXY TCP4 1.2.3.4\r\n", "proxy tcp4 192.0.2.7 192.0.2.1 1 1\r\n"] {
        let mut client = server.connect().await;
        client.send(bytes).await;
        assert_eq!(client.until_closed().await.0, b"", "{bytes}");
    }
    server
        .eventually(|snapshot| snapshot.refused(Refusal::BadProxyHead) == 3 && snapshot.requests == 0)
        .await;
    // A port that is looked at, with nothing said, is no refusal.
    drop(server.connect().await);
    server.eventually(|snapshot| snapshot.accepted == 4 && snapshot.active == 0).await;
    assert_eq!(server.running.snapshot().refused(Refusal::BadProxyHead), 3);
}

#[tokio::test]
async fn h6_a_listener_that_does_not_ask_refuses_it() {
    let server = serve_on(settings(), anywhere(), teller());
    for head in [LINE.as_bytes(), BINARY] {
        let told = answer(&mut server.connect().await, [head, GET.as_bytes()].concat()).await;
        assert!(told.starts_with("HTTP/1.1 400 ") && told.matches("HTTP/1.1").count() == 1, "{told}");
    }
}

#[tokio::test]
async fn h6_it_has_a_time_of_its_own() {
    let mut settings = impatient();
    settings.timeouts.silence = Duration::from_secs(60);
    settings.timeouts.proxy_head = PATIENCE;
    let server = start(settings, tester());
    for begin in [&b""[..], b"PROXY TCP4 192.0.2.7 ", &BINARY[..20], &BINARY[..BINARY.len() - 1]] {
        let mut client = server.connect().await;
        client.send(begin).await;
        assert_eq!(client.closed_in_time().await, "");
    }
    server.eventually(|snapshot| snapshot.timed_out(Timeout::ProxyHead) == 4 && snapshot.active == 0).await;
}

#[tokio::test]
async fn h6_a_head_that_is_there_is_no_first_byte_of_a_request() {
    let server = start(impatient(), tester());
    let mut client = server.connect().await;
    client.send(LINE).await;
    assert_eq!(client.closed_in_time().await, "");
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Silence) == 1).await;
}

#[tokio::test]
async fn h6_one_head_a_connection() {
    let server = start(settings(), teller());
    let told = answer(&mut server.connect().await, [LINE, LINE, GET].concat()).await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
}

#[tokio::test]
async fn h6_a_stop_does_not_wait_for_it() {
    let mut settings = settings();
    settings.timeouts.proxy_head = Duration::from_secs(60);
    settings.grace = Duration::from_millis(200);
    let server = start(settings, teller());
    let mut client = server.connect().await;
    client.send("PROXY ").await;
    server.eventually(|snapshot| snapshot.accepted == 1).await;
    server.drain().begin();
    let (_, took) = client.until_closed().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn h6_an_embedders_own_listener_reads_it_too() {
    let connections = Connections::new(&settings(), &Drain::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = Client(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    let (mut stream, peer) = listener.accept().await.unwrap();
    client.send([LINE, GET].concat()).await;
    let info = ConnectInfo::new(peer, stream.local_addr().unwrap());
    let info = connections.read_proxy_head(&mut stream, info, &trusted("127.0.0.1/32")).await.unwrap();
    assert_eq!((info.peer().to_string(), info.proxy()), ("192.0.2.7:5000".to_owned(), Some(peer)));
    tokio::spawn(async move { connections.serve(stream, info, teller()).await });
    let told = String::from_utf8(client.until_closed().await.0).unwrap();
    assert!(told.ends_with("192.0.2.7:5000 by Some(127.0.0.1), tls false"), "{told}");
}

/// What the upstream of a gateway behind a proxy gets of `fields`, by the source that the proxy tells.
async fn forwarded(trusted_ips: &str, fields: &str) -> String {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = upstream.local_addr().unwrap();
    let mut service = Service::new("s", "127.0.0.1");
    service.port = address.port();
    let mut route = Route::new("all").to(&service);
    route.paths = Some(vec!["/".into()]);
    let mut gateway = GatewaySettings::default();
    gateway.trust.trusted_ips = trusted(trusted_ips);
    let config = Config::default().with(service).with(route);
    let gateway = Gateway::builder().config(config).settings(gateway).build().unwrap();
    let server = Server::new(settings()).listen_as(anywhere().with_proxy_protocol(trusted("127.0.0.0/8")));
    let server = server.bind().unwrap();
    let mut client = Client(TcpStream::connect(server.addresses()[0]).await.unwrap());
    let _running = server.start(move |worker| gateway.serve(worker)).unwrap();
    client.send(format!("{LINE}GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
    let (mut stream, _) = upstream.accept().await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
    }
    String::from_utf8(read).unwrap().to_lowercase()
}

const CLAIMS: &str = "x-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nx-forwarded-proto: https\r\n";

#[tokio::test]
async fn compat_d42_upstreams_are_told_the_source_and_the_proxys_trust_is_not_the_clients() {
    let head = forwarded("127.0.0.0/8", "").await;
    assert!(head.contains("x-forwarded-for: 192.0.2.7\r\n") && head.contains("x-real-ip: 192.0.2.7\r\n"));
    // Bytes passed on are the client's: it is not believed because the proxy is.
    let head = forwarded("127.0.0.0/8", CLAIMS).await;
    assert!(head.contains("x-forwarded-for: 6.6.6.6, 192.0.2.7\r\n"), "{head}");
    assert!(
        head.contains("x-real-ip: 192.0.2.7\r\n") && head.contains("x-forwarded-proto: http\r\n"),
        "{head}"
    );
    // A client that is trusted itself, say a CDN in front of the balancer, is believed.
    let head = forwarded("192.0.2.0/24", CLAIMS).await;
    assert!(
        head.contains("x-real-ip: 6.6.6.6\r\n") && head.contains("x-forwarded-proto: https\r\n"),
        "{head}"
    );
}
