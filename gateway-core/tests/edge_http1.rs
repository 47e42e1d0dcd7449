//! HTTP/1 at the edge of the whole gateway: raw bytes in, and what an upstream with a parser of its own gets.
//!
//! Each vector says its row of docs/threat-model.md, what is sent, the status that answers it, and whether the
//! connection goes on. After each one a plain request has to be answered right, on a new connection and on the
//! same one where that goes on, so that nothing stays behind in either direction.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire.rs"]
mod wire;

use std::time::Duration;

use gateway_core::plugin::Source;
use wire::{Client, Edge, Seen, Setup, Upstream, everything_to};

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Keeps,
    Closes,
}
use Then::{Closes, Keeps};

/// Row, bytes, status, connection.
type Vector = (&'static str, Vec<u8>, u16, Then);

/// Follows every vector that has to end its connection: nobody may ever see it.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

fn raw(row: &'static str, bytes: impl AsRef<[u8]>, status: u16, then: Then) -> Vector {
    (row, bytes.as_ref().to_vec(), status, then)
}

/// A GET with these fields, each with its line end.
fn get(row: &'static str, target: &str, fields: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"), status, then)
}

/// A POST with these fields and what comes after the head.
fn post(row: &'static str, fields: &str, body: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("POST /x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n{body}"), status, then)
}

fn line(row: &'static str, line: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("{line}\r\nHost: a.example\r\n\r\n"), status, then)
}

fn host(row: &'static str, value: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("GET /x HTTP/1.1\r\nHost: {value}\r\n\r\n"), status, then)
}

/// An edge, its upstream, and how many vectors went through.
struct Range {
    edge: Edge,
    upstream: Upstream,
    vectors: usize,
}

impl Range {
    async fn open() -> Self {
        let upstream = Upstream::echo().await;
        let edge = Setup::new(everything_to(&upstream)).start();
        Self { edge, upstream, vectors: 0 }
    }

    /// Sends each vector; gives what the upstream saw of each.
    async fn shoot(&mut self, vectors: Vec<Vector>) -> Vec<(Vector, Vec<Seen>)> {
        let mut all = Vec::new();
        let mut wrong = Vec::new();
        for vector in vectors {
            self.upstream.take();
            match self.one(&vector).await {
                Ok(seen) => all.push((vector, seen)),
                Err(what) => {
                    wrong.push(format!("{}: {:?}: {what}", vector.0, String::from_utf8_lossy(&vector.1)));
                }
            }
            self.vectors += 1;
        }
        assert!(wrong.is_empty(), "{} vectors went wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(self.upstream.garbage(), Vec::<String>::new());
        for end in self.edge.ends.take() {
            let blamed = end.reason.is_some_and(gateway_core::Reason::blames_upstream);
            assert!(!blamed && end.source != Source::Error, "the upstream gets the blame: {end:?}");
        }
        all
    }

    async fn one(&self, (_, bytes, status, then): &Vector) -> Result<Vec<Seen>, String> {
        let mut client = self.edge.client().await;
        let method = String::from_utf8_lossy(bytes.split(|byte| *byte == b' ').next().unwrap_or_default())
            .into_owned();
        let mut sent = bytes.clone();
        if *then == Closes {
            sent.extend(SMUGGLED);
        }
        client.send(&sent).await;
        let answer = client.answer_to(&method).await.ok_or("no answer")?;
        if answer.status != *status {
            return Err(format!("{} {:?}", answer.status, answer.field("x-gateway-reason")));
        }
        // The head of an answer from the parser is hyper's; each other one is the gateway's.
        self.connection(&mut client, *then).await?;
        self.canary(&mut self.edge.client().await).await?;
        let seen: Vec<_> =
            self.upstream.take().into_iter().filter(|seen| seen.target() != "/canary").collect();
        for seen in &seen {
            if seen.target().contains("smuggled") {
                return Err("a second request came through".into());
            }
            seen.assert_canonical(&String::from_utf8_lossy(bytes));
        }
        let whole = seen.iter().filter(|seen| !seen.broken).count();
        if whole != usize::from(*status == 200) {
            return Err(format!("the upstream saw {seen:?}"));
        }
        Ok(seen)
    }

    async fn connection(&self, client: &mut Client, then: Then) -> Result<(), String> {
        match then {
            Keeps => self.canary(client).await,
            Closes => match client.closes().await {
                Some(rest) if rest.is_empty() => Ok(()),
                Some(rest) => Err(format!("more came: {:?}", String::from_utf8_lossy(&rest))),
                None => Err("the connection stays open".into()),
            },
        }
    }

    async fn canary(&self, client: &mut Client) -> Result<(), String> {
        let answer = client.get("/canary").await.ok_or("the canary got no answer")?;
        let right = answer.status == 200 && answer.body == "/canary";
        if right { Ok(()) } else { Err(format!("the canary got {answer:?}")) }
    }
}

/// The same vectors on a route that does not wait for the body.
fn streamed(vectors: Vec<Vector>) -> Vec<Vector> {
    let to_stream = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).replacen(" /x ", " /stream ", 1);
        text.into_bytes()
    };
    vectors.into_iter().map(|(row, bytes, status, then)| (row, to_stream(&bytes), status, then)).collect()
}

fn framing() -> Vec<Vector> {
    let coding = |row, coding: &str, status, then| {
        post(row, &format!("Transfer-Encoding: {coding}\r\n"), "3\r\nabc\r\n0\r\n\r\n", status, then)
    };
    let length = |fields: &str, status, then| post("F5", fields, "abc", status, then);
    let mut vectors = vec![
        post("F1, D6", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 200, Closes),
        post("F1, D6", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", 200, Closes),
        post(
            "F1, D6",
            "Transfer-Encoding: chunked\r\nContent-Length: 999\r\n",
            "1\r\na\r\n0\r\n\r\n",
            200,
            Closes,
        ),
        post(
            "F1, D6",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            "1\r\na\r\n0\r\n\r\n",
            200,
            Closes,
        ),
        coding("F2", "xchunked", 400, Closes),
        coding("F2", "chunkedx", 400, Closes),
        coding("F2", "chunk", 400, Closes),
        coding("F2", "\"chunked\"", 400, Closes),
        coding("F2", "'chunked'", 400, Closes),
        coding("F2", "chunked, identity", 400, Closes),
        coding("F2", "chunked;q=1", 400, Closes),
        coding("F2", ",chunked,", 400, Closes),
        coding("F2", "chunked,", 400, Closes),
        coding("F2", "\u{b}chunked", 400, Closes),
        coding("F2", "\u{c}chunked", 400, Closes),
        coding("F2", "chunked\u{b}", 400, Closes),
        coding("F2", "chunked\0", 400, Closes),
        coding("F2", "identity", 400, Closes),
        coding("F2", "", 400, Closes),
        coding("F2", "\tchunked", 200, Keeps),
        coding("F2", "chunked \t", 200, Keeps),
        coding("F2", "CHUNKED", 200, Keeps),
        coding("F3, D7, P12", "gzip, chunked", 501, Closes),
        coding("F3, D7", "identity, chunked", 501, Closes),
        coding("F3, D7", "chunked, chunked", 501, Closes),
        coding("F3, D7", "chunked\r\nTransfer-Encoding: chunked", 501, Closes),
        coding("F3, D7", "gzip\r\nTransfer-Encoding: chunked", 501, Closes),
        coding("F3", "chunked\r\nTransfer-Encoding: identity", 400, Closes),
        raw(
            "F4",
            "POST /x HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            Closes,
        ),
        length("Content-Length: 3\r\nContent-Length: 4\r\n", 400, Closes),
        length("Content-Length: 4\r\nContent-Length: 3\r\n", 400, Closes),
        length("Content-Length: +3\r\n", 400, Closes),
        length("Content-Length: -3\r\n", 400, Closes),
        length("Content-Length: 0x3\r\n", 400, Closes),
        length("Content-Length: 3,3\r\n", 400, Closes),
        length("Content-Length: 3, 4\r\n", 400, Closes),
        length("Content-Length: 1_0\r\n", 400, Closes),
        length("Content-Length: 3.0\r\n", 400, Closes),
        length("Content-Length: 3 3\r\n", 400, Closes),
        length("Content-Length:\r\n", 400, Closes),
        length("Content-Length: three\r\n", 400, Closes),
        length("Content-Length: 99999999999999999999999\r\n", 400, Closes),
        length("Content-Length: \u{663}\r\n", 400, Closes),
        length("Content-Length: 003\r\n", 200, Keeps),
        length("Content-Length: 3\r\nContent-Length: 3\r\n", 200, Keeps),
        length("Content-Length: 3\r\nContent-Length: 003\r\n", 200, Keeps),
        raw("F5", "GET /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc", 200, Keeps),
        raw(
            "F5",
            "GET /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            200,
            Keeps,
        ),
        raw("F5", "HEAD /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc", 200, Keeps),
    ];
    // A head with a chunked body is canonical whatever its first chunk.
    vectors.push(post("F1", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", 200, Keeps));
    vectors
}

#[tokio::test]
async fn f1_to_f5_one_framing_or_none() {
    let mut range = Range::open().await;
    let seen = range.shoot(framing()).await;
    for ((_, bytes, ..), seen) in seen {
        let Some(seen) = seen.first() else { continue };
        let sent = String::from_utf8_lossy(&bytes).into_owned();
        // Read before it was forwarded: with its length, never in chunks (D18).
        assert!(seen.all("transfer-encoding").is_empty(), "{sent}: {}", seen.head);
        let body = if sent.contains("abc") {
            "abc"
        } else if sent.contains("1\r\na") {
            "a"
        } else {
            ""
        };
        assert_eq!(seen.body, body.as_bytes(), "{sent}");
        if !body.is_empty() {
            assert_eq!(seen.all("content-length"), [body.len().to_string()], "{sent}");
        }
    }
}

#[tokio::test]
async fn f1_to_f5_on_a_route_that_streams() {
    let mut range = Range::open().await;
    let seen = range.shoot(streamed(framing())).await;
    assert!(
        seen.iter().any(|(_, seen)| seen.iter().any(|seen| seen.all("transfer-encoding") == ["chunked"]))
    );
}

#[tokio::test]
async fn f6_and_f7_fields_and_line_ends() {
    let field = |line: &str, status, then| get("F6", "/x", &format!("{line}\r\n"), status, then);
    let mut range = Range::open().await;
    range
        .shoot(vec![
            field("X : y", 400, Closes),
            field("X\t: y", 400, Closes),
            field(" X: y", 400, Closes),
            field("\tX: y", 400, Closes),
            field("X: y\r\n z", 400, Closes),
            field("X: y\r\n\tz", 400, Closes),
            field("X", 400, Closes),
            field(": y", 400, Closes),
            field("X: y\rZ: z", 400, Closes),
            field("X: \0", 400, Closes),
            field("X: y\u{1}", 400, Closes),
            field("X: y\u{7f}", 400, Closes),
            field("X\0: y", 400, Closes),
            field("X(): y", 400, Closes),
            field("X\u{e4}: y", 400, Closes),
            field("X: ", 200, Keeps),
            field("X:y", 200, Keeps),
            field("X:   y\t ", 200, Keeps),
            field("X: \u{e4}", 200, Keeps),
            raw("F6", "GET /x HTTP/1.1\r\n Host: a.example\r\n\r\n", 400, Closes),
            raw("F6", "GET /x HTTP/1.1\r\nHost: a.example\r\nX: 1\r\r\n\r\n", 400, Closes),
            raw("F7", "GET /x HTTP/1.1\nHost: a.example\n\n", 200, Keeps),
            raw("F7", "GET /x HTTP/1.1\r\nHost: a.example\nX: y\r\n\n", 200, Keeps),
            raw("F7", "POST /x HTTP/1.1\nHost: a.example\nContent-Length: 3\n\nabc", 200, Keeps),
            raw("F7", "\r\n\r\nGET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 200, Keeps),
        ])
        .await;
}

/// Chunked bodies, right and wrong.
fn chunks() -> Vec<Vector> {
    let chunk =
        |row, body: &str, status, then| post(row, "Transfer-Encoding: chunked\r\n", body, status, then);
    vec![
        chunk("F8", "3\nabc\n0\n\n", 400, Closes),
        chunk("F8", "3\r\nabc\n0\r\n\r\n", 400, Closes),
        chunk("F8", "3\rabc\r0\r\r", 400, Closes),
        chunk("F8", "0x3\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "+3\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "-3\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "1_0\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", " 3\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "g\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "3\r\nabc0\r\n\r\n", 400, Closes),
        chunk("F8", "3\r\nabcd\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "3\r\nab\r\n0\r\n\r\n", 400, Closes),
        chunk("F8", "3\r\nabc\r\n0\r\nGET ", 400, Closes),
        chunk("F8", "003\r\nabc\r\n0\r\n\r\n", 200, Keeps),
        chunk("F8", "3\r\nabc\r\n000\r\n\r\n", 200, Keeps),
        chunk("F8", "A\r\n0123456789\r\n0\r\n\r\n", 200, Keeps),
        chunk("F9", "3;a=b\r\nabc\r\n0\r\n\r\n", 200, Keeps),
        chunk("F9", "3;a=\"b;c\"\r\nabc\r\n0;x\r\n\r\n", 200, Keeps),
        chunk("F9", "3 ;a\r\nabc\r\n0\r\n\r\n", 200, Keeps),
        chunk("F9", "3;\n\r\nabc\r\n0\r\n\r\n", 400, Closes),
        chunk("F9", &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000)), 400, Closes),
        chunk("F10", &format!("3\r\nabc\r\n0\r\nX: {}\r\n\r\n", "x".repeat(40_000)), 400, Closes),
        chunk("F10", "3\r\nabc\r\n0\r\nX : y\r\n\r\n", 400, Closes),
        chunk("F10", "3\r\nabc\r\n0\r\nX: y\r\n\r\n", 200, Keeps),
    ]
}

#[tokio::test]
async fn f8_to_f10_chunks_and_their_trailers() {
    let mut range = Range::open().await;
    for (vector, seen) in range.shoot(chunks()).await {
        assert_eq!(
            seen.len(),
            usize::from(vector.2 == 200),
            "{vector:?}: a body is read before it is forwarded"
        );
    }
    assert!(range.upstream.open() <= 2, "one connection a worker is enough for one client after the other");
}

#[tokio::test]
async fn f8_to_f10_on_a_route_that_streams() {
    let mut range = Range::open().await;
    range.shoot(streamed(chunks())).await;
}

#[tokio::test]
async fn f10_trailers_lose_what_may_not_stand_there() {
    let range = Range::open().await;
    let mut client = range.edge.client().await;
    let fields = "te: trailers\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, content-length, authorization, host\r\n";
    let trailers =
        "x-sum: 1\r\ncontent-length: 7\r\nauthorization: me\r\nhost: b\r\nx-forwarded-for: 1.2.3.4\r\n";
    client
        .send(format!("POST /stream HTTP/1.1\r\nhost: a\r\n{fields}\r\n1\r\na\r\n0\r\n{trailers}\r\n"))
        .await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    let seen = range.upstream.take();
    assert_eq!((seen.len(), seen[0].all("host").len(), seen[0].all("authorization").len()), (1, 1, 0));
    assert_eq!(client.get("/canary").await.unwrap().body, "/canary");
}

#[tokio::test]
async fn f12_expectations() {
    let mut range = Range::open().await;
    let all = range
        .shoot(vec![
            post("F12", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc", 200, Keeps),
            post("F12", "Expect: 100-Continue\r\nContent-Length: 3\r\n", "abc", 200, Keeps),
            get("F12, D17", "/x", "Expect: magic\r\n", 417, Keeps),
            get("F12, D17", "/x", "Expect: 100-continue\r\nExpect: magic\r\n", 417, Keeps),
            get("F12, D17", "/x", "Expect: 200-ok\r\n", 417, Keeps),
        ])
        .await;
    assert_eq!(all[0].1[0].body, b"abc");
}

#[tokio::test]
async fn f12_the_interim_answer_comes_before_the_body() {
    let range = Range::open().await;
    let mut client = range.edge.client().await;
    client.send("POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n").await;
    let mut io = client.into_inner();
    let mut interim = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut io, &mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut client = Client::new(io);
    client.send("abc").await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    let seen = range.upstream.take();
    assert!(seen[0].all("expect").is_empty() && seen[0].body == b"abc");
}

#[tokio::test]
async fn f13_pipelined_requests_are_answered_in_order() {
    let range = Range::open().await;
    let mut client = range.edge.client().await;
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let body = "POST /3 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    client.send([&one("/1"), &one("/2"), body, &one("/4"), &one("/%zz"), &one("/6")].concat()).await;
    for path in ["/1", "/2", "/3", "/4"] {
        assert_eq!(client.answer().await.unwrap().body, path);
    }
    assert_eq!(client.answer().await.unwrap().status, 400);
    assert_eq!(client.closes().await.unwrap(), b"");
    let seen: Vec<_> = range.upstream.take().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(seen, ["/1", "/2", "/3", "/4"]);
}

#[tokio::test]
async fn t1_and_t2_one_valid_host() {
    let absolute = |target: &str, host: &str, status, then| {
        raw("T2", format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"), status, then)
    };
    let mut range = Range::open().await;
    let all = range
        .shoot(vec![
            raw("T1, P9", "GET /x HTTP/1.1\r\n\r\n", 400, Closes),
            raw("T1, P9", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, Closes),
            raw("T1, P9", "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, Closes),
            host("T1", "", 400, Closes),
            host("T1", "a, b", 400, Closes),
            host("T1, P9", "a/b", 400, Closes),
            host("T1", "a b", 400, Closes),
            host("T1", "user@a", 400, Closes),
            host("T1", "user:secret@a", 400, Closes),
            host("T1", "a:http", 400, Closes),
            host("T1", "a:-1", 400, Closes),
            host("T1", "a:65536", 400, Closes),
            host("T1", "a:80:80", 400, Closes),
            host("T1", "[::1", 400, Closes),
            host("T1", "::1", 400, Closes),
            host("T1", "[::g]", 400, Closes),
            host("T1", "a?b", 400, Closes),
            host("T1", "a#b", 400, Closes),
            host("T1", "a\\b", 400, Closes),
            host("T1", "http://a", 400, Closes),
            host("T1", "a%00", 400, Closes),
            host("T1", "a\u{e4}", 400, Closes),
            host("T1, D1", "A.Example.", 200, Keeps),
            host("T1", "a.example:80", 200, Keeps),
            host("T1", "a.example:8080", 200, Keeps),
            host("T1", "[::1]:80", 200, Keeps),
            host("T1", "127.0.0.1", 200, Keeps),
            raw("T1, P13", "GET /x HTTP/1.0\r\n\r\n", 200, Closes),
            absolute("http://b/x", "a", 400, Closes),
            absolute("http://a.example.evil/x", "a.example", 400, Closes),
            absolute("http://user@a/x", "a", 400, Closes),
            absolute("ftp://a/x", "a", 400, Closes),
            absolute("http:///x", "a", 400, Closes),
            absolute("http://a.example/x", "A.EXAMPLE.", 200, Keeps),
            absolute("HTTP://a/x", "a", 200, Keeps),
            absolute("https://a/x", "a", 200, Keeps),
            absolute("http://a", "a", 200, Keeps),
        ])
        .await;
    for (vector, seen) in all.iter().filter(|(_, seen)| !seen.is_empty()) {
        assert!(!seen[0].line().contains("://"), "{vector:?}");
        assert_eq!(seen[0].all("host"), [range.upstream.address.to_string()]);
    }
    let named = |name: &str| {
        all.iter().any(|(_, seen)| seen.iter().any(|seen| seen.all("x-forwarded-host") == [name]))
    };
    assert!(named("a.example"), "one form of the host");
}

#[tokio::test]
async fn t5_methods_and_versions() {
    let mut range = Range::open().await;
    let long = format!("{} /x HTTP/1.1", "A".repeat(5000));
    range
        .shoot(vec![
            raw("T5, P11", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n", 405, Keeps),
            raw("T5, P11", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", 405, Keeps),
            line("T5, P11", "TRACE /x HTTP/1.1", 405, Keeps),
            line("T5, D5", "TRACK /x HTTP/1.1", 200, Keeps),
            line("T5, P11", "FOO /x HTTP/1.1", 200, Keeps),
            line("T5", "M-SEARCH /x HTTP/1.1", 200, Keeps),
            line("T5", "PROPFIND /x HTTP/1.1", 200, Keeps),
            line("T5, P9", "get /x HTTP/1.1", 400, Closes),
            line("T5, P9", "Get /x HTTP/1.1", 400, Closes),
            line("T5", "G.T /x HTTP/1.1", 400, Closes),
            line("T5", "G(T /x HTTP/1.1", 400, Closes),
            line("T5", &long, 400, Closes),
            line("T5", "GET * HTTP/1.1", 400, Closes),
            line("T5, P9", "OPTIONS * HTTP/1.1", 400, Closes),
            line("T5", "GET a.example:80 HTTP/1.1", 400, Closes),
            line("T5", "GET x HTTP/1.1", 400, Closes),
            line("P12, D8", "GET /x HTTP/2.0", 400, Closes),
            line("P12", "GET /x HTTP/1.2", 400, Closes),
            line("P12", "GET /x HTTP/3", 400, Closes),
            line("P12", "GET /x http/1.1", 400, Closes),
            line("P12", "GET /x HTTP/0.9", 400, Closes),
            line("P12", "GET /x HTTP/1.1 x", 400, Closes),
            raw("P12", "GET /x\r\nHost: a.example\r\n\r\n", 400, Closes),
            raw("P12", "\0\0\0\0\r\n\r\n", 400, Closes),
            raw("P12", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n", 400, Closes),
        ])
        .await;
}

#[tokio::test]
async fn t6_one_path() {
    let mut range = Range::open().await;
    let path = |path: &str, status, then| get("T6", path, "", status, then);
    let bad = [
        "/%zz",
        "/%",
        "/%0",
        "/%00",
        "/a%00b",
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/a/%2e%2e/%2E%2E/x",
    ];
    let mut vectors: Vec<_> = bad.iter().map(|bad| path(bad, 400, Closes)).collect();
    for refused in ["/a b", "/<a>", "/a\tb", "/a\u{1}", "/\u{7f}"] {
        vectors.push(path(refused, 400, Closes));
    }
    let good = [
        ("/x//y///z", "/x/y/z"),
        ("/x/./y/../z", "/x/z"),
        ("/x/%2e/y/%2E%2e/z", "/x/z"),
        ("/%7ex", "/~x"),
        ("/%41", "/A"),
        ("/x%2Fy", "/x%2Fy"),
        ("/x%2fy", "/x%2Fy"),
        ("/x%5Cy", "/x%5Cy"),
        ("/x%252e%252e/y", "/x%252e%252e/y"),
        ("/x;a=b/..;/y", "/x;a=b/..;/y"),
        ("/x#fragment", "/x"),
        ("/x?a=/../b&c=%00", "/x?a=/../b&c=%00"),
        ("/x?", "/x?"),
        ("/x/.", "/x/"),
        ("/x/y/..", "/x/"),
        ("/%e4%bd%a0", "/%E4%BD%A0"),
    ];
    vectors.extend(good.iter().map(|(sent, _)| path(sent, 200, Keeps)));
    let all = range.shoot(vectors).await;
    for (sent, canonical) in good {
        let line = format!("GET {sent} ");
        let (_, seen) = all.iter().find(|((_, bytes, ..), _)| bytes.starts_with(line.as_bytes())).unwrap();
        assert_eq!(seen[0].target(), canonical, "{sent}");
    }
}

#[tokio::test]
async fn t8_limits() {
    let mut range = Range::open().await;
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    let fields = |count: usize| "X: y\r\n".repeat(count);
    range
        .shoot(vec![
            get("T8, D9", &target(8 * 1024), "", 200, Keeps),
            get("T8, D9, P10", &target(8 * 1024 + 1), "", 414, Closes),
            get("T8, D9", &target(30_000), "", 414, Closes),
            get("T8, D9", &target(40_000), "", 431, Closes),
            get("T8, D9", &format!("http://a.example{}", target(8 * 1024)), "", 414, Closes),
            get("T8, D9", "/x", &fields(99), 200, Keeps),
            get("T8, D9", "/x", &fields(100), 431, Closes),
            get("T8, D9", "/x", &format!("X: {}\r\n", "y".repeat(30_000)), 200, Keeps),
            get("T8, D9, P10", "/x", &format!("X: {}\r\n", "y".repeat(40_000)), 431, Closes),
            get("T8, D9", "/x", &format!("{}: y\r\n", "x".repeat(40_000)), 431, Closes),
            get("T8, D9", "/x", &format!("Cookie: {}\r\n", "a=b; ".repeat(8_000)), 431, Closes),
            get("T8", "/x", &format!("X: {}\r\n", "y".repeat(500_000)), 431, Closes),
        ])
        .await;
}

#[tokio::test]
async fn h1_to_h4_fields_that_end_here_or_that_nobody_may_say() {
    let mut range = Range::open().await;
    let fields = |fields: &str| get("H", "/x", fields, 200, Keeps);
    let all = range
        .shoot(vec![
            fields("Connection: x-forwarded-for, authorization, host, x-real-ip, x-kong-request-id\r\nAuthorization: me\r\n"),
            fields("Connection: keep-alive, x-gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nX-Kept: 1\r\n"),
            fields("Connection: content-length, transfer-encoding, via, te\r\nTE: trailers, gzip\r\n"),
            fields("X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\n"),
            fields("X-Forwarded-Prefix: /evil\r\nX-Forwarded-Path: /evil\r\nX-Forwarded-For: 6.6.6.6\r\n"),
            fields("X-Consumer-ID: me\r\nX-Consumer-Username: me\r\nX-Credential-Identifier: me\r\nX-Anonymous-Consumer: true\r\n"),
            fields("TE: gzip\r\nProxy-Connection: keep-alive\r\nProxy: evil\r\nHTTP2-Settings: AAMAAABk\r\n"),
            fields("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            fields("X_Under: 1\r\nForwarded: for=6.6.6.6\r\nProxy-Authorization: Basic x\r\nX-Kong-Request-Id: mine\r\n"),
            fields("Cookie: a=1\r\nCookie: b=2\r\nVia: 1.0 fred\r\n"),
        ])
        .await;
    let seen: Vec<_> = all.iter().map(|(_, seen)| seen[0].clone()).collect();
    assert!(seen[0].all("authorization").is_empty(), "H1: it was nominated");
    assert_eq!(seen[0].all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen[1].all("x-kept"), ["1"]);
    assert!(seen[1].all("x-gone").is_empty());
    assert_eq!((seen[2].all("te"), seen[2].all("via").len()), (vec!["trailers"], 1));
    assert_eq!(seen[3].all("x-forwarded-proto"), ["http"], "H2");
    assert_eq!(seen[3].all("x-forwarded-host"), ["a.example"]);
    assert_eq!(seen[3].all("x-forwarded-port"), [range.edge.address.port().to_string()]);
    assert_eq!(seen[3].all("x-real-ip"), ["127.0.0.1"]);
    assert!(seen[4].all("x-forwarded-prefix").is_empty());
    assert_eq!(seen[4].all("x-forwarded-path"), ["/x"]);
    assert_eq!(seen[4].all("x-forwarded-for"), ["6.6.6.6, 127.0.0.1"], "D11");
    for name in ["x-consumer-username", "x-credential-identifier", "x-anonymous-consumer"] {
        assert!(seen[5].all(name).is_empty(), "D14: {name}");
    }
    assert!(seen[6].all("te").is_empty(), "H4");
    assert_eq!((seen[8].all("x_under"), seen[8].all("forwarded").len()), (vec!["1"], 1), "D13");
    assert_eq!(seen[8].all("proxy-authorization").len(), 1, "D13");
    assert_ne!(seen[8].all("x-kong-request-id"), ["mine"], "P34");
    assert_eq!(seen[9].all("cookie"), ["a=1; b=2"]);
    assert!(seen[9].all("via")[0].starts_with("1.0 fred, 1.1 gateway/"), "P33: {:?}", seen[9].all("via"));
}

#[tokio::test]
async fn w1_handshakes_that_are_none() {
    let mut range = Range::open().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let asks = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    range
        .shoot(vec![
            get("W1", "/x", &format!("{asks}{key}Sec-WebSocket-Version: 8\r\n"), 426, Keeps),
            get("W1", "/x", &format!("{asks}{key}"), 426, Keeps),
            get("W1", "/x", &format!("{asks}Sec-WebSocket-Version: 13\r\n"), 400, Closes),
            get(
                "W1",
                "/x",
                &format!("{asks}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"),
                400,
                Closes,
            ),
            post("W1", &format!("{asks}{key}Sec-WebSocket-Version: 13\r\n"), "", 400, Closes),
            get(
                "W1",
                "/x",
                &format!("{asks}{key}Sec-WebSocket-Version: 13\r\nContent-Length: 3\r\n"),
                400,
                Closes,
            ),
            raw(
                "W1",
                format!("GET /x HTTP/1.0\r\nHost: a\r\n{asks}{key}Sec-WebSocket-Version: 13\r\n\r\n"),
                400,
                Closes,
            ),
            // An upstream that does not switch: a plain answer, and the connection goes on.
            get("W1", "/x", &format!("Connection: Upgrade\r\nUpgrade: foo\r\n{key}"), 200, Keeps),
        ])
        .await;
}

#[tokio::test]
async fn f11_a_client_that_gives_up_in_the_middle_harms_nobody() {
    let range = Range::open().await;
    for target in ["/x", "/stream"] {
        for body in ["content-length: 100000\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\nffff\r\nabc"] {
            let mut client = range.edge.client().await;
            client.send(format!("POST {target} HTTP/1.1\r\nhost: a\r\n{body}")).await;
            drop(client.into_inner());
            assert!(range.canary(&mut range.edge.client().await).await.is_ok());
        }
    }
    let whole =
        range.upstream.take().into_iter().filter(|seen| !seen.broken && seen.target() != "/canary").count();
    assert_eq!(whole, 0);
    wire::eventually("an end for each", || range.edge.running.snapshot().writing == 0).await;
    let blamed = range
        .edge
        .ends
        .take()
        .into_iter()
        .filter(|end| end.reason.is_some_and(gateway_core::Reason::blames_upstream));
    assert_eq!(blamed.count(), 0);
}

#[tokio::test]
async fn f11_a_client_that_closes_its_side_gives_its_request_up() {
    let range = Range::open().await;
    for _ in 0..20 {
        let mut client = range.edge.client().await;
        client.send("GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut stream = client.into_inner();
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        let mut read = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut read);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("an end").ok();
        // Whole where it was faster, nothing otherwise; no failure is made up.
        assert!(read.is_empty() || read.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&read));
        assert!(range.canary(&mut range.edge.client().await).await.is_ok());
    }
    wire::eventually("an end for each", || range.edge.running.snapshot().writing == 0).await;
    let ends = range.edge.ends.take();
    assert!(ends.iter().all(|end| end.reason.is_none_or(|reason| !reason.blames_upstream())));
}

#[tokio::test]
async fn f11_an_early_answer_does_not_poison_either_connection() {
    let upstream = Upstream::echo().await;
    let mut config = everything_to(&upstream);
    let limit = serde_json::json!({ "allowed_payload_size": 1, "size_unit": "bytes", "require_content_length": false });
    config = config.with(gateway_core::config::Plugin::new("request-size-limiting", limit));
    let edge = Setup::new(config).start();
    for fields in ["content-length: 1000000\r\n", "transfer-encoding: chunked\r\n"] {
        let mut client = edge.client().await;
        client
            .send(format!(
                "POST /stream HTTP/1.1\r\nhost: a\r\n{fields}\r\n2710\r\n{}",
                "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n".repeat(10)
            ))
            .await;
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, 413);
        let rest = client.closes().await;
        assert_eq!(rest.map(|rest| rest.len()), Some(0), "the unread body is no request");
        assert_eq!(edge.client().await.get("/canary").await.unwrap().body, "/canary");
    }
    assert!(upstream.take().iter().all(|seen| !seen.target().contains("smuggled")));
}

#[tokio::test]
async fn h3_strict_headers_and_strict_paths_refuse_more() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream));
    setup.node.rules.headers = gateway_core::sanitize::Strictness::Strict;
    setup.node.rules.paths = gateway_core::sanitize::Strictness::Strict;
    let edge = setup.start();
    let mut client = edge.client().await;
    client
        .send(
            "GET /x HTTP/1.1\r\nhost: a\r\nX_Under: 1\r\nForwarded: for=x\r\nProxy-Authorization: x\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    let seen = upstream.take();
    for name in ["x_under", "forwarded", "proxy-authorization"] {
        assert!(seen[0].all(name).is_empty(), "{name}");
    }
    for path in ["/x%2Fy", "/x%5cy", "/x/..;/y", "/x/;../y"] {
        assert_eq!(edge.client().await.get(path).await.unwrap().status, 400, "{path}");
    }
    assert_eq!(upstream.take().len(), 0);
}

#[tokio::test]
async fn d6_a_strict_edge_refuses_a_length_beside_a_coding() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream));
    setup.server.limits.keep_length = true;
    let mut range = Range { edge: setup.start(), upstream, vectors: 0 };
    let strict = |(row, bytes, status, then)| {
        let both = row == "F1, D6";
        (row, bytes, if both { 400 } else { status }, then)
    };
    let vectors: Vec<Vector> = framing().into_iter().map(strict).collect();
    assert!(vectors.iter().filter(|(_, _, status, _)| *status == 400).count() > 10);
    range.shoot(vectors).await;

    let mut client = range.edge.client().await;
    let fine = [
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ];
    for request in fine.repeat(3) {
        client.send(request).await;
        assert_eq!(client.answer().await.unwrap().status, 200);
    }
    // The head in pieces, and behind others that are fine.
    let (start, end) =
        "POST /x HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .split_at(40);
    client.send([fine[1], start].concat()).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    client.send(end).await;
    assert_eq!(client.answer().await.unwrap().status, 400);
    assert!(client.closes().await.is_some());

    // On a connection that rested, where the head comes in drops.
    let mut client = range.edge.client().await;
    client.send(fine[1]).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    for drop in ["PO", &start[2..], end] {
        client.send(drop).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(client.answer().await.unwrap().status, 400);
}
