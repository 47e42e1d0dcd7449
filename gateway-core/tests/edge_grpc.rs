//! What a client of gRPC gets from the gateway itself, by HTTP/2 and on the wire (compat R17): a status of gRPC in the
//! only block of fields, whatever went wrong, and a word of HTTP where the request is no gRPC call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use bytes::Bytes;
use gateway_core::config::{Config, Protocol, Route};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use wire::{Client, Edge, PATIENCE, Setup, Upstream};

const GRPC: &str = "application/grpc";

/// A route for each set of protocols, under its name.
fn config(upstream: &Upstream) -> Config {
    let service = upstream.service("greeter");
    let route = |name: &str, protocols: &[Protocol]| {
        let mut route = Route::new(name).to(&service);
        route.paths = Some(vec![format!("/{name}/")]);
        route.protocols = protocols.to_vec();
        route.strip_path = false;
        route
    };
    let both = route("both", &[Protocol::Grpc, Protocol::Grpcs]);
    let secure = route("secure", &[Protocol::Grpcs]);
    let mut alone = Route::new("alone");
    alone.paths = Some(vec!["/alone/".into()]);
    alone.protocols = vec![Protocol::Grpc];
    alone.strip_path = false;
    let config = Config::default().with(both).with(secure).with(alone);
    config.with(service)
}

struct Range {
    edge: Edge,
    upstream: Upstream,
    connector: tokio_rustls::TlsConnector,
}

/// Head and body of an answer. It has no trailers: the status stands in the head.
type Answer = (Response<()>, Vec<u8>);

impl Range {
    async fn open() -> Self {
        let upstream = Upstream::echo().await;
        let (certificates, connector) = wire::tls(&["h2"]);
        let mut setup = Setup::new(config(&upstream));
        setup.certificates = Some(certificates);
        Self { edge: setup.start(), upstream, connector }
    }

    /// Calls in clear.
    async fn call(&self, path: &str, content_type: &str) -> Answer {
        call(TcpStream::connect(self.edge.address).await.unwrap(), path, content_type).await
    }

    /// Calls over TLS.
    async fn call_secure(&self, path: &str, content_type: &str) -> Answer {
        let stream = TcpStream::connect(self.edge.tls.unwrap()).await.unwrap();
        let stream = self.connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        call(stream, path, content_type).await
    }
}

async fn call<I>(io: I, path: &str, content_type: &str) -> Answer
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    timeout(PATIENCE, exchange(sender, path, content_type)).await.unwrap()
}

async fn exchange(mut sender: SendRequest<Bytes>, path: &str, content_type: &str) -> Answer {
    let request = Request::post(format!("http://localhost{path}")).header("te", "trailers");
    let request = request.header("content-type", content_type).body(()).unwrap();
    let (response, mut stream) = sender.send_request(request, false).unwrap();
    stream.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        read.extend(data.unwrap());
    }
    assert!(body.trailers().await.unwrap().is_none(), "trailers behind {head:?}");
    (Response::from_parts(head, ()), read)
}

/// The status of HTTP, that of gRPC, and its message.
fn status((head, body): &Answer) -> (u16, &str, &str) {
    assert!(body.is_empty(), "gRPC takes no body with a status: {body:?}");
    assert_eq!(text(head.headers(), "content-type"), GRPC);
    assert!(head.headers().contains_key("x-kong-request-id"));
    let field = |name| text(head.headers(), name);
    (head.status().as_u16(), field("grpc-status"), field("grpc-message"))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn failures_are_told_as_a_status_of_grpc_r17() {
    let range = Range::open().await;
    let none = range.call("/none.Greeter/Hello", GRPC).await;
    assert_eq!(status(&none), (404, "5", "no Route matched with those values"));
    let alone = range.call("/alone/Hello", "application/grpc+proto").await;
    assert_eq!(status(&alone), (503, "14", "no Service found with those values"));
    let mut gone = range.upstream.service("greeter");
    gone.port = unused_port().await;
    range.edge.gateway.reload(&config(&range.upstream).with(gone)).unwrap();
    let refused = range.call("/both/Hello", GRPC).await;
    assert_eq!(status(&refused), (502, "13", "An invalid response was received from the upstream server"));
}

#[tokio::test]
async fn what_is_no_call_of_grpc_is_refused_in_words_of_http_r17() {
    let range = Range::open().await;
    for (head, body) in [
        range.call("/both/Hello", "application/json").await,
        range.call_secure("/secure/Hello", "text/plain").await,
    ] {
        assert_eq!((head.status().as_u16(), text(head.headers(), "grpc-status")), (415, ""));
        assert_eq!(text(head.headers(), "content-type"), "application/json; charset=utf-8");
        assert!(String::from_utf8(body).unwrap().contains("Non-gRPC request matched gRPC route"));
    }
    let mut client: Client<TcpStream> = range.edge.client().await;
    client
        .send("POST /both/Hello HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
        .await;
    let old = client.answer_to("POST").await.unwrap();
    assert_eq!((old.status, old.field("upgrade")), (426, Some("HTTP/2")));
    assert!(old.field("connection").is_some_and(|options| options.eq_ignore_ascii_case("upgrade")));
    assert!(old.body.contains("Please use HTTP2 protocol"), "{}", old.body);
    assert_eq!(range.upstream.count(), 0);
}

#[tokio::test]
async fn a_call_in_clear_on_a_route_for_grpcs_is_told_so_r17() {
    let range = Range::open().await;
    let clear = range.call("/secure/Hello", GRPC).await;
    assert_eq!(status(&clear), (200, "1", "gRPC request matched gRPCs route"));
    assert_eq!(text(clear.0.headers(), "x-gateway-reason"), "grpcs_required");
    assert_eq!(range.upstream.count(), 0);
    for (head, body) in [
        range.call_secure("/secure/Hello", GRPC).await,
        range.call("/both/Hello", GRPC).await,
        range.call_secure("/both/Hello", "application/grpc+json").await,
    ] {
        assert_eq!((head.status().as_u16(), body.ends_with(b"/Hello")), (200, true), "the upstream's answer");
    }
}

/// A port that nothing listens at.
async fn unused_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}
