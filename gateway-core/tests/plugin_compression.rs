//! `compression` in a running gateway, with the feature of that name.
#![cfg(feature = "compression")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    Edge, Reply, Script, Scripted, Step, config, read_until,
    scripted::{Seen, send},
    service,
};
use compression_codecs::{
    BrotliDecoder, DecodeV2, GzipDecoder, ZlibDecoder, ZstdDecoder,
    core::util::{PartialBuffer, WriteBuffer},
};
use gateway_core::config::Plugin;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// Text that compresses well.
fn text() -> String {
    "All is well that ends well. ".repeat(4000)
}

fn decode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn DecodeV2> = match coding {
        "br" => Box::new(BrotliDecoder::new()),
        "deflate" => Box::new(ZlibDecoder::new()),
        "gzip" => Box::new(GzipDecoder::new()),
        "zstd" => Box::new(ZstdDecoder::new()),
        _ => return bytes.to_vec(),
    };
    let (mut input, mut all) = (PartialBuffer::new(bytes), Vec::new());
    loop {
        let mut room = vec![0; 1 << 16];
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).unwrap();
        let written = output.written_len();
        all.extend_from_slice(&room[..written]);
        if ended || (written < room.len() && input.unwritten().is_empty()) {
            return all;
        }
    }
}

fn answer(fields: &str, seen: &Seen) -> Script {
    let text = text();
    let length = text.len();
    let body = if seen.method() == "HEAD" { "" } else { &text };
    vec![send(format!("HTTP/1.1 200 OK\r\n{fields}content-length: {length}\r\n\r\n{body}"))]
}

async fn edge(upstream: &Scripted, more: Value) -> Edge {
    Edge::new(config(service(upstream.address)).with(Plugin::new("compression", more)))
}

async fn ask(edge: &Edge, method: &str, path: &str, fields: &str) -> Reply {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
    Reply::to(method, &edge.raw(request).await)
}

#[tokio::test]
async fn each_coding_decodes_to_what_the_upstream_sent_and_is_smaller() {
    let upstream = Scripted::start(|seen| answer("content-type: text/plain\r\netag: \"a\"\r\n", seen)).await;
    let edge = edge(&upstream, json!({})).await;
    for (accepted, coding) in [
        ("br", "br"),
        ("deflate", "deflate"),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip;q=0.5, br;q=0.8", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
    ] {
        let reply = ask(&edge, "GET", "/", &format!("accept-encoding: {accepted}\r\n")).await;
        assert_eq!((reply.status, reply.header("content-encoding"), reply.whole), (200, coding, true));
        assert_eq!((reply.header("vary"), reply.header("etag")), ("accept-encoding", "W/\"a\""));
        assert!(!reply.headers.contains_key("content-length") && reply.body.len() * 10 < text().len());
        assert!(decode(coding, &reply.body) == text().as_bytes(), "{coding}");
    }
    for refused in ["", "accept-encoding: identity\r\n", "accept-encoding: *;q=0\r\n"] {
        let reply = ask(&edge, "GET", "/", refused).await;
        assert_eq!(
            (reply.status, reply.header("content-encoding"), reply.header("etag")),
            (200, "", "\"a\"")
        );
        assert!(reply.text() == text() && reply.header("vary") == "accept-encoding");
    }
    let head = ask(&edge, "HEAD", "/", "accept-encoding: gzip\r\n").await;
    assert_eq!((head.header("content-encoding"), head.header("content-length")), ("gzip", ""));
}

#[tokio::test]
async fn what_is_encoded_already_goes_through_as_it_is() {
    let upstream = Scripted::start(|seen| match seen.path() {
        "/gzip" => answer("content-type: text/plain\r\ncontent-encoding: gzip\r\n", seen),
        "/fixed" => answer("content-type: text/plain\r\ncache-control: no-transform\r\n", seen),
        _ => answer("content-type: image/png\r\n", seen),
    })
    .await;
    let edge = edge(&upstream, json!({})).await;
    for path in ["/gzip", "/fixed", "/png"] {
        let reply = ask(&edge, "GET", path, "accept-encoding: br\r\n").await;
        assert!(reply.text() == text() && reply.header("vary").is_empty(), "{path}");
        assert_eq!(reply.header("content-length"), text().len().to_string());
    }
}

#[tokio::test]
async fn events_that_the_configuration_names_arrive_one_by_one() {
    let upstream = Scripted::start(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![send(head), send("b\r\ndata: one\n\n\r\n"), Step::Hang]
    })
    .await;
    let edge = edge(&upstream, json!({ "content_types": ["text/event-stream"] })).await;
    let mut client = edge.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n").await.unwrap();
    // The head of the coding, the event and the mark of the flush come while the upstream hangs.
    let flushed = read_until(&mut client, b"\0\0\xff\xff").await;
    assert!(String::from_utf8_lossy(&flushed).contains("content-encoding: gzip"));
    let start = flushed.windows(3).position(|bytes| bytes == [0x1f, 0x8b, 8]).unwrap();
    assert_eq!(decode("gzip", &flushed[start..]), b"data: one\n\n");
}

#[tokio::test]
async fn an_answer_that_is_cut_stays_cut() {
    let upstream = Scripted::start(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99999\r\n\r\n";
        vec![
            send(head),
            send("x".repeat(2000)),
            Step::Wait(std::time::Duration::from_millis(20)),
            Step::Close,
        ]
    })
    .await;
    let edge = edge(&upstream, json!({})).await;
    assert!(!ask(&edge, "GET", "/", "accept-encoding: gzip\r\n").await.whole);
}

#[tokio::test]
async fn stored_answers_are_compressed_for_each_client_as_it_likes() {
    let upstream = Scripted::start(|seen| answer("content-type: text/plain\r\n", seen)).await;
    let cache = Plugin::new("proxy-cache", json!({ "strategy": "memory" }));
    let config = config(service(upstream.address)).with(cache).with(Plugin::new("compression", json!({})));
    let edge = Edge::new(config);
    for (accepted, coding, status) in [("gzip", "gzip", "Miss"), ("br", "br", "Hit"), ("identity", "", "Hit")]
    {
        let reply = ask(&edge, "GET", "/", &format!("accept-encoding: {accepted}\r\n")).await;
        assert_eq!((reply.header("content-encoding"), reply.header("x-cache-status")), (coding, status));
        assert!(decode(coding, &reply.body) == text().as_bytes(), "{coding}");
    }
    assert_eq!(upstream.seen().len(), 1);
}
