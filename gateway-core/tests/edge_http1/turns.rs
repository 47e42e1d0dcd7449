//! Who speaks when: expectations, pipelines, clients that leave and answers that come early (F11 to F13).

use std::time::Duration;

use crate::{
    range::{Keeps, Range, get, post},
    wire::{self, Client, Setup, Upstream, everything_to},
};

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
