//! HTTP/2 at the edge of the whole gateway, HTTP/1.1 behind it: what a client can still send after h2 has looked
//! at it, in raw frames, and what clients of good manners may rely on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/frames.rs"]
mod frames;
#[path = "common/wire/mod.rs"]
mod wire;

use std::time::Duration;

use bytes::Bytes;
use frames::{
    Frames,
    Outcome::{self, Refused, Status},
};
use gateway_core::plugin::Source;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use wire::{Edge, PATIENCE, Seen, Setup, Upstream, everything_to};

struct Range {
    edge: Edge,
    upstream: Upstream,
}

/// A field that is no pseudo-header, and those of a plain GET to change.
type Fields<'a> = Vec<(&'a str, &'a [u8])>;

fn plain<'a>() -> Fields<'a> {
    vec![(":method", b"GET"), (":scheme", b"http"), (":authority", b"a.example"), (":path", b"/x")]
}

/// The plain GET with other values, or without a field where the value is empty.
fn with<'a>(changes: &[(&'a str, &'a [u8])]) -> Fields<'a> {
    let mut fields = plain();
    for (name, value) in changes {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    fields.retain(|(name, value)| !(name.starts_with(':') && value.is_empty()));
    fields
}

/// The plain GET with these fields at the end.
fn and<'a>(more: &[(&'a str, &'a [u8])]) -> Fields<'a> {
    [plain(), more.to_vec()].concat()
}

impl Range {
    async fn open() -> Self {
        let upstream = Upstream::echo().await;
        let edge = Setup::new(everything_to(&upstream)).start();
        Self { edge, upstream }
    }

    async fn shoot(&self, fields: &[(&str, &[u8])], body: Option<&[u8]>) -> (Outcome, Vec<Seen>) {
        self.upstream.take();
        let mut client = Frames::connect(self.edge.address).await;
        client.send(1, fields, body).await;
        let outcome = client.outcome(1).await;
        if outcome != Refused {
            client.send(3, &with(&[(":path", b"/canary")]), None).await;
            assert_eq!(client.outcome(3).await, Status(200), "the canary after {fields:?}");
        }
        let mut client = self.edge.client().await;
        assert_eq!(client.get("/canary").await.unwrap().body, "/canary");
        let seen: Vec<_> =
            self.upstream.take().into_iter().filter(|seen| seen.target() != "/canary").collect();
        for seen in &seen {
            seen.assert_canonical(&format!("{fields:?}"));
        }
        let whole = seen.iter().filter(|seen| !seen.broken).count();
        assert_eq!(whole, usize::from(outcome == Status(200)), "{fields:?}: {outcome:?}, {seen:?}");
        for end in self.edge.ends.take() {
            let blamed = end.reason.is_some_and(gateway_core::Reason::blames_upstream);
            assert!(!blamed && end.source != Source::Error, "the upstream gets the blame: {end:?}");
        }
        (outcome, seen)
    }
}

#[tokio::test]
async fn x1_each_case_is_canonical_or_refused() {
    let range = Range::open().await;
    let mut wrong = Vec::new();
    let mut cases = 0;
    let long = [b"/".as_slice(), &[b'a'; 8192]].concat();
    let many: Vec<(String, Vec<u8>)> = (0..101).map(|number| (format!("x{number}"), vec![b'y'])).collect();
    let many: Fields<'_> = plain()
        .into_iter()
        .chain(many.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
        .collect();
    let table: Vec<(Fields<'_>, Option<&[u8]>, Outcome)> = vec![
        (plain(), None, Status(200)),
        // What h2 lets through.
        (and(&[("host", b"b.example")]), None, Status(200)),
        (with(&[(":authority", b""), ("host", b"a.example")]), None, Status(200)),
        (with(&[(":authority", b"")]), None, Status(400)),
        (and(&[("host", b"a.example"), ("host", b"b.example")]), None, Status(400)),
        (and(&[("host", b"a.example"), ("host", b"a.example")]), None, Status(400)),
        (with(&[(":authority", b""), ("host", b"a/b")]), None, Status(400)),
        (with(&[(":authority", b""), ("host", b"a, b")]), None, Status(400)),
        (with(&[(":authority", b"user:pass@a.example")]), None, Status(400)),
        (with(&[(":authority", b"user@a.example")]), None, Status(400)),
        (with(&[(":authority", b"A.Example.:80")]), None, Status(200)),
        (with(&[(":authority", b"a.example:99999")]), None, Status(400)),
        (with(&[(":scheme", b"ftp")]), None, Status(400)),
        (with(&[(":scheme", b"https")]), None, Status(200)),
        (vec![(":method", b"CONNECT"), (":authority", b"a.example:80")], None, Status(405)),
        (with(&[(":method", b"TRACE")]), None, Status(405)),
        (with(&[(":method", b"FOO")]), None, Status(200)),
        (with(&[(":method", b"get")]), None, Status(400)),
        (with(&[(":path", b"*")]), None, Status(400)),
        (with(&[(":method", b"OPTIONS"), (":path", b"*")]), None, Status(400)),
        (with(&[(":path", b"/%00")]), None, Status(400)),
        (with(&[(":path", b"/%zz")]), None, Status(400)),
        (with(&[(":path", b"/../x")]), None, Status(400)),
        (with(&[(":path", b"/a//b/../c?d")]), None, Status(200)),
        (with(&[(":path", &long)]), None, Status(414)),
        (many, None, Status(431)),
        (and(&[("expect", b"magic")]), None, Status(417)),
        (and(&[("cookie", b"a=1"), ("cookie", b"b=2")]), None, Status(200)),
        (and(&[("x", b" padded")]), None, Status(400)),
        (and(&[("x", b"padded\t")]), None, Status(400)),
        (and(&[("x", b"\xe4")]), None, Status(200)),
        (and(&[("te", b"trailers")]), None, Status(200)),
        (with(&[(":method", b"POST"), ("content-length", b"3")]), Some(b"abc"), Status(200)),
        (with(&[(":method", b"POST")]), Some(b"abc"), Status(200)),
        (with(&[(":method", b"POST"), ("content-length", b"0")]), None, Status(200)),
        (plain(), Some(b"a body of a GET"), Status(200)),
        // What h2 refuses.
        (and(&[("te", b"gzip")]), None, Refused),
        (and(&[("te", b"trailers, gzip")]), None, Refused),
        (and(&[("connection", b"close")]), None, Refused),
        (and(&[("keep-alive", b"5")]), None, Refused),
        (and(&[("proxy-connection", b"close")]), None, Refused),
        (and(&[("upgrade", b"websocket")]), None, Refused),
        (and(&[("transfer-encoding", b"chunked")]), None, Refused),
        (with(&[(":method", b"POST"), ("content-length", b"2")]), Some(b"abc"), Refused),
        (with(&[(":method", b"POST"), ("content-length", b"4")]), Some(b"abc"), Refused),
        (with(&[(":method", b"POST"), ("content-length", b"+3")]), Some(b"abc"), Refused),
        (with(&[(":method", b"POST"), ("content-length", b"3,3")]), Some(b"abc"), Refused),
        (and(&[("x", b"a\rb")]), None, Refused),
        (and(&[("x", b"a\nhost: b")]), None, Refused),
        (and(&[("x", b"a\r\n\r\nGET /smuggled HTTP/1.1")]), None, Refused),
        (and(&[("x", b"a\0")]), None, Refused),
        (and(&[("X", b"y")]), None, Refused),
        (and(&[("x y", b"z")]), None, Refused),
        (and(&[("x:", b"z")]), None, Refused),
        (and(&[("x\r\ny", b"z")]), None, Refused),
        (and(&[("", b"z")]), None, Refused),
        (with(&[(":path", b"/a b")]), None, Refused),
        (with(&[(":path", b"/a\r\nx: y")]), None, Refused),
        (with(&[(":path", b"x")]), None, Refused),
        (with(&[(":path", b"http://b/")]), None, Refused),
        (with(&[(":path", b"")]), None, Refused),
        (with(&[(":method", b"")]), None, Refused),
        (with(&[(":scheme", b"")]), None, Refused),
        (with(&[(":method", b"GET /y HTTP/1.1\r\nx:")]), None, Refused),
        (with(&[(":scheme", b"ht tp")]), None, Refused),
        (with(&[(":scheme", b"http://b/?")]), None, Refused),
        (with(&[(":authority", b"a b")]), None, Refused),
        (with(&[(":authority", b"a/b")]), None, Refused),
        (with(&[(":authority", b"a\r\nx: y")]), None, Refused),
        (and(&[(":path", b"/y")]), None, Refused),
        (and(&[(":method", b"POST")]), None, Refused),
        (and(&[(":status", b"200")]), None, Refused),
        (and(&[(":protocol", b"websocket")]), None, Refused),
        (and(&[(":x", b"y")]), None, Refused),
        ([vec![("x", b"y".as_slice())], plain()].concat(), None, Refused),
    ];
    for (fields, body, expected) in table {
        cases += 1;
        let (outcome, _) = range.shoot(&fields, body).await;
        if outcome != expected {
            wrong.push(format!("{outcome:?} instead of {expected:?}: {:?}", readable(&fields)));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(range.upstream.garbage(), Vec::<String>::new());
}

fn readable(fields: &[(&str, &[u8])]) -> Vec<String> {
    let short = |value: &[u8]| String::from_utf8_lossy(&value[..value.len().min(40)]).into_owned();
    fields.iter().take(8).map(|(name, value)| format!("{name}={}", short(value))).collect()
}

#[tokio::test]
async fn x1_the_head_is_built_anew() {
    let range = Range::open().await;
    let (_, seen) = range.shoot(&and(&[("host", b"b.example")]), None).await;
    assert_eq!(seen[0].all("x-forwarded-host"), ["a.example"], "D4: the authority wins");
    assert_eq!(seen[0].all("host"), [range.upstream.address.to_string()]);
    assert!(seen[0].all("via")[0].starts_with("2 gateway/"), "P33");
    let (_, seen) =
        range.shoot(&and(&[("cookie", b"a=1"), ("cookie", b"b=2"), ("cookie", b"c=3")]), None).await;
    assert_eq!(seen[0].all("cookie"), ["a=1; b=2; c=3"]);
    let (_, seen) = range.shoot(&with(&[(":method", b"POST")]), Some(b"abc")).await;
    assert_eq!((seen[0].all("content-length"), seen[0].body.as_slice()), (vec!["3"], b"abc".as_slice()));
    let (_, seen) = range.shoot(&with(&[(":path", b"/a//b/../c?d")]), None).await;
    assert_eq!(seen[0].target(), "/a/c?d");
}

#[tokio::test]
async fn equal_lengths_go_on_as_one_or_not_at_all() {
    let range = Range::open().await;
    let fields =
        [with(&[(":method", b"POST"), ("content-length", b"3")]), vec![("content-length", b"3".as_slice())]];
    let (outcome, seen) = range.shoot(&fields.concat(), Some(b"abc")).await;
    match outcome {
        Status(200) => assert_eq!(seen[0].all("content-length"), ["3"]),
        other => assert_eq!(other, Refused),
    }
}

/// A client of good manners.
async fn client<I>(io: I) -> SendRequest<Bytes>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn clear(edge: &Edge) -> SendRequest<Bytes> {
    client(TcpStream::connect(edge.address).await.unwrap()).await
}

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a.example{path}")).body(()).unwrap()
}

/// Head, body and trailers of an answer.
async fn collect(response: h2::client::ResponseFuture) -> (Response<()>, Vec<u8>, Option<HeaderMap>) {
    let (parts, mut body) = timeout(PATIENCE, response).await.unwrap().unwrap().into_parts();
    let mut read = Vec::new();
    while let Some(data) = timeout(PATIENCE, body.data()).await.unwrap() {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        read.extend(data);
    }
    let trailers = body.trailers().await.unwrap();
    (Response::from_parts(parts, ()), read, trailers)
}

/// Sends a body within the window that the other end opens.
async fn send_all(stream: &mut h2::SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = timeout(PATIENCE, std::future::poll_fn(|cx| stream.poll_capacity(cx))).await.unwrap();
        let now = room.unwrap().unwrap().min(bytes.len());
        stream.send_data(bytes.split_to(now), bytes.is_empty()).unwrap();
    }
}

/// An upstream that gives bodies back.
async fn mirror() -> Upstream {
    Upstream::start(|seen| match seen.target() {
        "/never" => Vec::new(),
        "/trailers" => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n";
            format!("{head}3\r\nabc\r\n0\r\nx-sum: 7\r\nset-cookie: a=b\r\n\r\n").into_bytes()
        }
        _ => wire::answer("200 OK", "", &String::from_utf8_lossy(&seen.body)),
    })
    .await
}

#[tokio::test]
async fn bodies_go_both_ways() {
    let upstream = mirror().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    for path in ["/x", "/stream"] {
        let mut sender = clear(&edge).await;
        for size in [1, 60_000, 1_000_000] {
            let (response, mut stream) = sender.send_request(request("POST", path), false).unwrap();
            let body = Bytes::from(vec![b'x'; size]);
            let (_, (head, read, _)) = tokio::join!(send_all(&mut stream, body.clone()), collect(response));
            assert_eq!((head.status().as_u16(), read.len()), (200, size), "{path}");
            assert_eq!(read, body, "{path}");
        }
    }
    assert!(upstream.take().iter().all(|seen| !seen.broken));
}

#[tokio::test]
async fn trailers_of_the_upstream_arrive_clean() {
    let upstream = mirror().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let mut sender = clear(&edge).await;
    let (response, _) = sender.send_request(request("GET", "/trailers"), true).unwrap();
    let (_, body, trailers) = collect(response).await;
    let trailers = trailers.unwrap_or_default();
    assert_eq!((body.as_slice(), trailers.len()), (b"abc".as_slice(), 1), "D16: {trailers:?}");
    assert_eq!(trailers["x-sum"], "7");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_clean_end() {
    let upstream = Upstream::start(|seen| match seen.target() {
        // Less than it says, and not one more byte: the next answer would be taken for the rest.
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc".to_vec(),
        _ => wire::ok("x"),
    })
    .await;
    let mut config = everything_to(&upstream);
    let service = config.services.values().next().unwrap();
    let mut short = (**service).clone();
    // Ends the answer that breaks off, and no good one that comes late.
    short.read_timeout = 2_000;
    config = config.with(short);
    let edge = Setup::new(config).start();
    let mut sender = clear(&edge).await;
    let (response, _) = sender.send_request(request("GET", "/cut"), true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    let error = loop {
        match timeout(PATIENCE, body.data()).await.unwrap() {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("a clean end"),
        }
    };
    assert!(error.is_reset(), "{error}");
    let (response, _) = sender.send_request(request("GET", "/next"), true).unwrap();
    assert_eq!(collect(response).await.1, b"x");
}

#[tokio::test]
async fn a_hundred_streams_at_once() {
    let upstream = mirror().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let sender = clear(&edge).await;
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut sender = sender.ready().await.unwrap();
                let (response, mut stream) = sender.send_request(request("POST", "/x"), false).unwrap();
                let body = Bytes::from(format!("{number}").repeat(2000));
                let (_, (head, read, _)) =
                    tokio::join!(send_all(&mut stream, body.clone()), collect(response));
                assert_eq!((head.status().as_u16(), read), (200, body.to_vec()));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(edge.running.snapshot().accepted, 1);
    assert_eq!(upstream.take().len(), 100);
}

#[tokio::test]
async fn a_reset_by_the_client_ends_the_upstreams_work() {
    let upstream = mirror().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let mut sender = clear(&edge).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(sender.send_request(request("GET", "/never"), true).unwrap());
    }
    wire::eventually("ten requests upstream", || upstream.count() == 10).await;
    assert_eq!(upstream.open(), 10);
    for (_, stream) in &mut open {
        stream.send_reset(h2::Reason::CANCEL);
    }
    wire::eventually("an end of the upstream's work", || upstream.open() == 0).await;
    let (response, _) = sender.send_request(request("GET", "/x"), true).unwrap();
    assert_eq!(collect(response).await.0.status(), 200);
    let blamed = edge
        .ends
        .take()
        .into_iter()
        .filter(|end| end.reason.is_some_and(gateway_core::Reason::blames_upstream));
    assert_eq!(blamed.count(), 0);
}

#[tokio::test]
async fn over_tls_alpn_settles_the_version() {
    let upstream = Upstream::echo().await;
    for (alpn, via) in
        [(vec!["h2"], "2 "), (vec!["h2", "http/1.1"], "2 "), (vec!["http/1.1"], "1.1 "), (vec![], "1.1 ")]
    {
        let (certificates, connector) = wire::tls(&alpn);
        let mut setup = Setup::new(everything_to(&upstream));
        setup.certificates = Some(certificates);
        let edge = setup.start();
        let stream = TcpStream::connect(edge.tls.unwrap()).await.unwrap();
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        if via.starts_with('2') {
            let mut sender = client(stream).await;
            for _ in 0..3 {
                let (response, _) = sender.send_request(request("GET", "/x"), true).unwrap();
                let (head, body, _) = collect(response).await;
                assert_eq!((head.status().as_u16(), body.as_slice()), (200, b"/x".as_slice()));
                assert!(!head.headers().contains_key("connection"));
            }
        } else {
            let mut client = wire::Client::new(stream);
            for _ in 0..3 {
                assert_eq!(client.get("/x").await.unwrap().body, "/x");
            }
        }
        let seen = upstream.take();
        assert_eq!(seen.len(), 3);
        for seen in seen {
            seen.assert_canonical("over TLS");
            assert!(seen.all("via")[0].starts_with(via), "{alpn:?}: {:?}", seen.all("via"));
            assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
        }
    }
}

#[tokio::test]
async fn the_parser_settles_the_version_in_clear() {
    let range = Range::open().await;
    let mut client = range.edge.client().await;
    assert_eq!(client.get("/x").await.unwrap().body, "/x");
    let mut sender = clear(&range.edge).await;
    let (response, _) = sender.send_request(request("GET", "/x"), true).unwrap();
    assert_eq!(collect(response).await.1, b"/x");
    // Half a preface is no request.
    let mut client = range.edge.client().await;
    client.send("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(timeout(Duration::from_secs(3), client.closes()).await.unwrap().is_some());
    assert_eq!(range.upstream.take().len(), 2);
}
