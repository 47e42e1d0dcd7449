//! What an upstream may do wrong, and what the client gets to see (docs/threat-model.md, U1; compat D19, D32).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{
    Edge, Reply, Script, Scripted, Step, config, read_until,
    scripted::{last, ok, send},
    service,
};
use gateway_core::Body;
use http::Request;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

const INVALID: &str = "An invalid response was received from the upstream server";
const TIMING_OUT: &str = "The upstream server is timing out";

/// A gateway in front of an upstream that answers `/canary` well and everything else by `script`.
async fn stage(script: Script) -> (Edge, Scripted) {
    // Short only where the end of it is waited for: a good answer may come late.
    let hangs = script.iter().any(|step| matches!(step, Step::Hang));
    let upstream = Scripted::start(move |seen| match seen.path() {
        "/canary" => ok("canary"),
        _ => script.clone(),
    })
    .await;
    let mut service = service(upstream.address);
    (service.retries, service.read_timeout) = (0, if hangs { 1_500 } else { 60_000 });
    (Edge::new(config(service)), upstream)
}

/// What a GET that meets `script` gets; the next requests are right.
async fn get(script: Script) -> Reply {
    let (edge, _upstream) = stage(script).await;
    let reply = edge.get("/").await;
    for _ in 0..2 {
        edge.get("/canary").await.assert_ok("canary");
    }
    reply
}

fn text(text: &str) -> Script {
    last(text)
}

#[tokio::test]
async fn an_upstream_that_leaves_without_an_answer_is_502_reset() {
    for script in [
        vec![Step::Close],
        vec![Step::Reset],
        text("HTTP/1.1 200 OK\r\nContent-Le"),
        vec![send("HTTP/1.1 200 OK\r\nContent-Le"), Step::Reset],
    ] {
        get(script).await.assert_failed(502, INVALID, "reset");
    }
}

#[tokio::test]
async fn what_is_not_http_is_502_bad_response() {
    let many: String = (0..250).map(|count| format!("x-{count}: y\r\n")).collect();
    let large = "y".repeat(100_000);
    for script in [
        text("\u{1}\u{2}\u{3} garbage\r\n\r\n"),
        text("<html>an answer of HTTP/0.9</html>"),
        text("HTTP/1.1 abc OK\r\n\r\n"),
        text("HTTP/1.1 20 OK\r\n\r\n"),
        text("HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 600 What\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\nx : a\r\ncontent-length: 0\r\n\r\n"),
        text(&format!("HTTP/1.1 200 OK\r\nx: {large}\r\ncontent-length: 0\r\n\r\n")),
        text(&format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n")),
        text("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        text("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        text("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
        text("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
    ] {
        let reply = get(script).await;
        reply.assert_failed(502, INVALID, "bad_response");
    }
}

#[tokio::test]
async fn where_length_and_coding_stand_the_coding_is_right() {
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let reply = get(vec![send(answer)]).await;
    reply.assert_ok("hello");
}

#[tokio::test]
async fn two_hundred_fields_are_taken() {
    let many: String = (0..190).map(|count| format!("x-{count}: y\r\n")).collect();
    let reply = get(vec![send(format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\nok"))]).await;
    reply.assert_ok("ok");
    assert_eq!(reply.header("x-189"), "y");
}

#[tokio::test]
async fn few_interim_responses_are_swallowed() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(8);
    for pieces in [1, 7] {
        let answer = format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let script = answer
            .as_bytes()
            .chunks(answer.len().div_ceil(pieces))
            .flat_map(|piece| [send(piece), Step::Wait(Duration::from_millis(2))]);
        let reply = get(script.collect()).await;
        reply.assert_ok("ok");
        assert!(reply.interim.is_empty());
    }
}

#[tokio::test]
async fn more_than_sixteen_interim_responses_are_502_at_once() {
    let interim = "HTTP/1.1 102 Processing\r\nx: y\r\n\r\n";
    let answer = format!("{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", interim.repeat(17));
    get(vec![send(answer)]).await.assert_failed(502, INVALID, "bad_response");
    let flood = vec![Step::Flood(interim.repeat(100).into_bytes())];
    get(flood).await.assert_failed(502, INVALID, "bad_response");
}

#[tokio::test]
async fn a_body_that_looks_like_interim_responses_is_a_body() {
    let body = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4_000);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    for script in [
        vec![send(format!("{head}{body}"))],
        vec![send(head), Step::Wait(Duration::from_millis(20)), send(body.clone())],
    ] {
        get(script).await.assert_ok(&body);
    }
}

#[tokio::test]
async fn bytes_after_the_response_reach_nobody() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    for script in [
        vec![send(format!("{answer}{poison}"))],
        vec![send(answer), Step::Wait(Duration::from_millis(20)), send(poison)],
        vec![send(format!("{answer}garbage"))],
        vec![send("HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\npoison")],
    ] {
        let (edge, _upstream) = stage(script).await;
        let reply = edge.get("/").await;
        assert!(matches!(reply.status, 200 | 204) && reply.rest.is_empty(), "{reply:?}");
        // Until the late bytes are there: after the next request nobody could tell them from its answer.
        tokio::time::sleep(Duration::from_millis(60)).await;
        for _ in 0..5 {
            edge.get("/canary").await.assert_ok("canary");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_504() {
    for script in [
        vec![Step::Hang],
        vec![send("HTTP/1.1 200 OK\r\nx: "), Step::Hang],
        vec![send("HTTP/1.1 100 Continue\r\n\r\n"), Step::Hang],
    ] {
        get(script).await.assert_failed(504, TIMING_OUT, "read_timeout");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_a_clean_end() {
    let counted = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n";
    for begin in [counted, chunked] {
        for end in [Step::Close, Step::Reset, Step::Hang] {
            let wait = Step::Wait(Duration::from_millis(50));
            let reply = get(vec![send(begin), wait, end.clone()]).await;
            assert_eq!((reply.status, reply.whole), (200, false), "{begin:?} {end:?} {reply:?}");
            assert_eq!(reply.text(), "hel");
        }
    }
    let bad = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n";
    let reply = get(vec![
        send(bad),
        Step::Wait(Duration::from_millis(50)),
        send("zz\r\nlo\r\n0\r\n\r\n"),
        Step::Close,
    ])
    .await;
    assert_eq!((reply.status, reply.whole, reply.text()), (200, false, "hel"));
}

/// Bug: a body that broke off in the bytes that came with its head took the head along. The client got nothing at all, as
/// from a server that closes an idle connection, after which browsers send even a POST again.
#[tokio::test]
async fn a_body_that_breaks_off_at_once_leaves_its_head() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let long = format!("3\r\nhel\r\n0\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for broken in ["3\r\nhelXX\r\n0\r\n\r\n", "3\r\nhel\r\nzz\r\nlo\r\n0\r\n\r\n", &long] {
        let reply = get(text(&format!("{head}{broken}"))).await;
        assert_eq!((reply.status, reply.whole, reply.text()), (200, false, "hel"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_body_until_the_close_is_passed_on_whole() {
    for version in ["1.0", "1.1"] {
        let reply = get(text(&format!("HTTP/{version} 200 OK\r\n\r\nhello"))).await;
        reply.assert_ok("hello");
    }
}

#[tokio::test]
async fn a_slow_body_is_not_a_stalled_one() {
    let mut script = vec![send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")];
    for _ in 0..6 {
        script.extend([Step::Wait(Duration::from_millis(100)), send("x")]);
    }
    get(script).await.assert_ok("xxxxxx");
}

#[tokio::test]
async fn what_ends_at_this_hop_is_taken_off() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close, x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\n\
                  proxy-connection: close\r\nupgrade: h2c\r\ntrailer: x\r\ncontent-length: 2\r\nx-kept: 1\r\n\r\nok";
    let (edge, _upstream) = stage(text(answer)).await;
    let mut client = edge.connect().await;
    for _ in 0..3 {
        // The upstream's close does not close the client's connection.
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let reply = Reply::to("GET", &read_until(&mut client, b"\r\n\r\nok").await);
        reply.assert_ok("ok");
        assert_eq!(reply.header("x-kept"), "1");
        for name in ["connection", "x-secret", "keep-alive", "proxy-connection", "upgrade", "trailer"] {
            assert!(!reply.headers.contains_key(name), "{name} in {reply:?}");
        }
    }
}

#[tokio::test]
async fn the_reason_phrase_is_dropped() {
    let (edge, _upstream) =
        stage(vec![send("HTTP/1.1 200 <b>mark</b>\r\ncontent-length: 2\r\n\r\nok")]).await;
    let raw = edge.raw("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(raw.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&raw));
}

#[tokio::test]
async fn an_early_413_is_delivered_and_the_upload_ends() {
    let refusal = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 4\r\n\r\nmuch";
    let (edge, upstream) = stage(vec![send(refusal)]).await;
    let mut client = edge.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    // The answer may come first, and with it the end of the connection.
    let _ = client.write_all(&[b'x'; 100_000]).await;
    let reply = Reply::to("POST", &read_until(&mut client, b"much").await);
    assert_eq!((reply.status, reply.text()), (413, "much"));
    // The half-used connection serves nobody else, and the next request does not wait for the upload.
    edge.get("/canary").await.assert_ok("canary");
    assert_eq!(upstream.seen().last().unwrap().connection, 1);
    common::eventually("the upload's connection closes", || upstream.open() <= 1).await;
}

fn ask(path: &str) -> Request<Body> {
    Request::get(format!("http://a{path}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_reset_on_http_2() {
    let counted = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n";
    for begin in [counted, chunked] {
        for end in [Step::Close, Step::Reset, Step::Hang] {
            let wait = Step::Wait(Duration::from_millis(50));
            let (edge, _upstream) = stage(vec![send(begin), wait, end]).await;
            let mut client = common::http2(&edge).await;
            let response = client.send_request(ask("/")).await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(response.into_body().collect().await.is_err(), "{begin}");
            // The connection goes on.
            let response = client.send_request(ask("/canary")).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "canary");
        }
    }
}

#[tokio::test]
async fn trailers_bring_nothing_that_belongs_into_a_head() {
    for text in ["hello", ""] {
        let chunk = if text.is_empty() { String::new() } else { format!("{:x}\r\n{text}\r\n", text.len()) };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ntrailer: x-sum, set-cookie\r\ntransfer-encoding: chunked\r\n\r\n\
             {chunk}0\r\nx-sum: 7\r\nset-cookie: evil\r\ncontent-length: 3\r\n\r\n"
        );
        let (edge, _upstream) = stage(vec![send(answer)]).await;
        let mut client = common::http2(&edge).await;
        let mut request = ask("/");
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        let body = client.send_request(request).await.unwrap().into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap();
        assert_eq!((trailers.len(), trailers["x-sum"].to_str().unwrap()), (1, "7"), "after {text:?}");
        assert_eq!(body.to_bytes(), text);
        let body = client.send_request(ask("/canary")).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "canary");
    }
}
