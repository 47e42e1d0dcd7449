//! HTTP/2 floods end in GOAWAY, and well-behaved clients do not notice the budgets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::time::{Duration, Instant};

use gateway_core::{
    Body,
    server::{Certificates, Refusal, Snapshot},
};
use http::Response;
use server_kit::{
    Client, TestServer, certified, connect_tls, frame, goaway, head, hello_http2, http2_client, request,
    settings, start, start_tls, tester,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Sends batches until the server closes, reading along; gives what it said.
async fn flood(client: &mut Client, batch: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let (mut read, begun) = (Vec::new(), Instant::now());
    for number in 0.. {
        while matches!(client.0.try_read_buf(&mut read), Ok(1..)) {}
        if !client.try_send(batch(number)).await {
            read.extend(client.until_closed().await.0);
            return read;
        }
        sleep(Duration::from_millis(1)).await;
        match client.0.try_read_buf(&mut read) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(1..) => {}
            _ => return read,
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "still open after {number} batches");
    }
    read
}

/// Sends batches, each once the server has read the one before, until it closes; gives how many it took and what it said.
async fn steps(client: &mut Client, batch: impl Fn(u32) -> Vec<u8>) -> (u32, Vec<u8>) {
    let mut read = Vec::new();
    for number in 0..1_000_u32 {
        let mark = [&[0xff; 4][..], &number.to_be_bytes()].concat();
        let answer = frame(6, 1, 0, &mark);
        if !client.try_send([batch(number), frame(6, 0, 0, &mark)].concat()).await {
            read.extend(client.until_closed().await.0);
            return (number, read);
        }
        while !read.windows(answer.len()).any(|part| part == answer) {
            // A reset is a close as well.
            let reading = tokio::time::timeout(Duration::from_secs(10), client.0.read_buf(&mut read)).await;
            if !matches!(reading.expect("neither an answer nor a close"), Ok(1..)) {
                return (number, read);
            }
        }
    }
    panic!("still open");
}

async fn greeted(server: &TestServer) -> Client {
    let mut client = server.connect().await;
    client.send([hello_http2(&[]), frame(4, 1, 0, &[])].concat()).await;
    client
}

#[tokio::test]
async fn a_paced_rapid_reset_is_closed() {
    let server = start(settings(), tester());
    let mut client = greeted(&server).await;
    let (mut read, mut sent) = (Vec::new(), 0);
    // Five requests, and their cancellations once they have reached the service: h2 itself never minds.
    loop {
        let streams: Vec<u32> = (0..5).map(|i| (sent + i) * 2 + 1).collect();
        let heads: Vec<u8> = streams.iter().flat_map(|stream| head(*stream, "GET", "/never", true)).collect();
        if sent >= 3_000 || !client.try_send(heads).await {
            break;
        }
        sent += 5;
        let waits = |now: Snapshot| now.requests < u64::from(sent) && (now.accepted == 0 || now.active == 1);
        while waits(server.running.snapshot()) {
            sleep(Duration::from_millis(1)).await;
        }
        let resets: Vec<u8> = streams.iter().flat_map(|id| frame(3, 0, *id, &8_u32.to_be_bytes())).collect();
        client.try_send(resets).await;
        while matches!(client.0.try_read_buf(&mut read), Ok(1..)) {}
    }
    assert!((500..550).contains(&sent), "{sent} streams");
    read.extend(client.until_closed().await.0);
    assert_eq!(goaway(&read), Some(ENHANCE_YOUR_CALM));
    server.eventually(|snapshot| snapshot.refused(Refusal::RapidReset) == 1 && snapshot.active == 0).await;
}

#[tokio::test]
async fn cancelling_now_and_then_is_no_attack() {
    let server = start(settings(), tester());
    let client = http2_client(server.connect().await.0).await;
    for number in 0..1_500 {
        let mut client = client.clone();
        client.ready().await.unwrap();
        let path = if number % 3 == 0 { "/never" } else { "/" };
        let answer = client.send_request(request(path));
        if number % 3 == 0 {
            // Given up before the answer, as a browser does when the user leaves a page.
            let _ = tokio::time::timeout(Duration::from_millis(1), answer).await;
        } else {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    }
    assert_eq!(server.running.snapshot().accepted, 1);
}

async fn control_flood(frames: impl Fn(u32) -> Vec<u8>) {
    let server = start(settings(), tester());
    let mut client = greeted(&server).await;
    let (batches, read) = steps(&mut client, |number| frames(number).repeat(20)).await;
    assert!(batches < 200, "{batches} batches of 20");
    assert_eq!(goaway(&read), Some(ENHANCE_YOUR_CALM));
    server.eventually(|snapshot| snapshot.refused(Refusal::ControlFlood) == 1 && snapshot.active == 0).await;
}

#[tokio::test]
async fn a_settings_flood_is_closed() {
    control_flood(|_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])).await;
}

#[tokio::test]
async fn a_ping_flood_is_closed() {
    control_flood(|_| frame(6, 0, 0, &[7; 8])).await;
}

#[tokio::test]
async fn a_priority_flood_is_closed() {
    control_flood(|_| frame(2, 0, 1, &[0, 0, 0, 0, 16])).await;
}

#[tokio::test]
async fn a_flood_of_unknown_frames_is_closed() {
    control_flood(|_| frame(0xbe, 0, 1, &[0; 16])).await;
}

#[tokio::test]
async fn a_flood_of_crumbs_of_data_is_closed() {
    control_flood(|number| if number == 0 { head(1, "POST", "/echo", false) } else { frame(0, 0, 1, b"x") })
        .await;
}

#[tokio::test]
async fn a_flood_over_tls_is_closed_too() {
    let certificates = Certificates::new(&certified(&["*"])).unwrap();
    let server = start_tls(settings(), &certificates, tester());
    let mut client = connect_tls(server.address, "a.example", Some(b"h2")).await.unwrap();
    client.write_all(&hello_http2(&[])).await.unwrap();
    let pings = frame(6, 0, 0, &[7; 8]).repeat(3_000);
    let _ = client.write_all(&pings).await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut rest))
        .await
        .expect("still open");
    server.eventually(|snapshot| snapshot.refused(Refusal::ControlFlood) == 1).await;
}

#[tokio::test]
async fn many_requests_and_a_large_download_are_within_the_budget() {
    let server = start(settings(), tester());
    let mut client = http2_client(server.connect().await.0).await;
    for _ in 0..1_500 {
        client.ready().await.unwrap();
        let answer = client.send_request(request("/")).await.unwrap();
        assert_eq!(server_kit::status_and_len(answer).await, (http::StatusCode::OK, 5));
    }
    client.ready().await.unwrap();
    let answer = client.send_request(request("/big")).await.unwrap();
    assert_eq!(server_kit::status_and_len(answer).await.1, 64 << 20);
    assert_eq!(server.running.snapshot().accepted, 1);
}

#[tokio::test]
async fn a_window_update_for_each_small_chunk_is_within_the_budget() {
    // 1,500 chunks of 1 KiB, and a client that says two things for each of them.
    let chatty = |_: &std::sync::Arc<gateway_core::ConnectInfo>, _: http::Request<Body>| async {
        Response::new(Body::new(Chunks(1_500)))
    };
    let server = start(settings(), chatty);
    let mut client = greeted(&server).await;
    client.send(head(1, "GET", "/", true)).await;
    let (mut read, mut taken, mut told) = (Vec::new(), 0, 0);
    while taken < 1_500 * 1024 {
        client.0.readable().await.unwrap();
        match client.0.try_read_buf(&mut read) {
            Ok(0) => panic!("closed: {:?}", goaway(&read)),
            Ok(_) => {}
            Err(_) => continue,
        }
        let data: Vec<_> = server_kit::frames(&read).into_iter().filter(|(kind, ..)| *kind == 0).collect();
        taken = data.iter().map(|(.., payload)| payload.len()).sum();
        let update: Vec<u8> = data[told..]
            .iter()
            .flat_map(|(.., payload)| {
                let len = u32::try_from(payload.len()).unwrap().max(1).to_be_bytes();
                [frame(8, 0, 1, &len), frame(8, 0, 0, &len)].concat()
            })
            .collect();
        told = data.len();
        client.send(update).await;
    }
}

struct Chunks(u32);

impl http_body::Body for Chunks {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        self.0 = match self.0.checked_sub(1) {
            Some(rest) => rest,
            None => return std::task::Poll::Ready(None),
        };
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(vec![b'x'; 1024].into()))))
    }
}

#[tokio::test]
async fn the_library_answers_the_other_floods() {
    // CONTINUATION without an end, and resets provoked by bad WINDOW_UPDATEs (CVE-2024-27316, CVE-2025-8671).
    let server = start(settings(), tester());
    let mut client = greeted(&server).await;
    client.send(frame(1, 0, 1, &[0x82])).await;
    flood(&mut client, |_| frame(9, 0, 1, &[])).await;
    let mut client = greeted(&server).await;
    flood(&mut client, |number| {
        let stream = number * 2 + 1;
        [head(stream, "GET", "/never", true), frame(8, 0, stream, &0x7fff_ffff_u32.to_be_bytes())].concat()
    })
    .await;
    assert!(server.connect().await.get("/").await.starts_with("HTTP/1.1 200 "));
}
