//! Where a message ends: one length or one coding, fields and line ends (F1 to F7).

use std::time::Duration;

use crate::{
    range::{Closes, Keeps, Range, Vector, get, post, raw, streamed},
    wire::{Setup, Upstream, everything_to},
};

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
