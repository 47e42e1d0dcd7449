//! Every slow state ends within its patience and a second (stock hyper leaves most of them open).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::time::{Duration, Instant};

use gateway_core::server::{Certificates, Snapshot, Timeout};
use server_kit::{
    Client, PATIENCE, TestServer, frame, head, hello_http2, impatient, start, start_tls, tester,
    with_patience,
};
use tokio::time::sleep;

/// The patience with clients that must stay: longer than the machine may stall.
const FAIR_PATIENCE: Duration = Duration::from_secs(1);

fn server() -> TestServer {
    start(impatient(), tester())
}

fn fair_server() -> TestServer {
    start(with_patience(FAIR_PATIENCE), tester())
}

/// What a measured time may take beyond the patience: longer than the machine may stall.
const SOON: Duration = Duration::from_secs(3);

/// The answer to `/big` is made at its first use, which takes too long for a measured time.
async fn make_big() {
    let server = server();
    let mut client = server.connect().await;
    client.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.0.readable().await.unwrap();
}

/// Sends `begin`, then `drip` every 20 ms until the server closes; gives what it said.
async fn drip(client: &mut Client, begin: &str, drip: &str) -> (String, Duration) {
    let started = Instant::now();
    client.send(begin).await;
    let mut buf = Vec::new();
    while started.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(20)).await;
        match client.0.try_read_buf(&mut buf) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        if !client.try_send(drip).await {
            break;
        }
    }
    (String::from_utf8(buf).unwrap(), started.elapsed())
}

fn counted(timeout: Timeout) -> impl Fn(&Snapshot) -> bool {
    move |snapshot| snapshot.timed_out(timeout) == 1 && snapshot.active == 0
}

#[tokio::test]
async fn silence_is_closed_without_a_word() {
    let server = server();
    assert_eq!(server.connect().await.closed_in_time().await, "");
    server.eventually(counted(Timeout::Silence)).await;
}

#[tokio::test]
async fn the_first_byte_ends_the_silence_and_the_head_has_its_own_time() {
    let mut settings = impatient();
    settings.timeouts.head = Duration::from_secs(5);
    let server = start(settings, tester());
    let mut client = server.connect().await;
    client.send("GET / HT").await;
    sleep(PATIENCE * 3).await;
    assert_eq!(server.running.snapshot().active, 1);
    client.send("TP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let (read, _) = client.until_closed().await;
    assert!(read.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test]
async fn one_byte_is_answered_with_408() {
    let server = server();
    for byte in ["G", "P"] {
        let mut client = server.connect().await;
        client.send(byte).await;
        assert!(client.closed_in_time().await.starts_with("HTTP/1.1 408 "));
    }
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Head) == 2).await;
}

#[tokio::test]
async fn a_head_without_an_end_is_answered_with_408() {
    let server = server();
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n").await;
    assert!(client.closed_in_time().await.starts_with("HTTP/1.1 408 "));
    server.eventually(counted(Timeout::Head)).await;
}

#[tokio::test]
async fn a_head_in_drops_is_answered_with_408() {
    let server = server();
    let (read, took) = drip(&mut server.connect().await, "GET / HTTP/1.1\r\nx: ", "y").await;
    assert!(
        read.starts_with("HTTP/1.1 408 ") && took < PATIENCE + Duration::from_secs(1),
        "{read:?} {took:?}"
    );
}

#[tokio::test]
async fn the_second_head_in_drops_is_answered_with_408_too() {
    let server = server();
    let mut client = server.connect().await;
    client.get("/").await;
    let (read, took) = drip(&mut client, "GET / HTTP/1.1\r\nx: ", "y").await;
    assert!(
        read.starts_with("HTTP/1.1 408 ") && took < PATIENCE + Duration::from_secs(1),
        "{read:?} {took:?}"
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let server = server();
    let mut client = server.connect().await;
    client.get("/").await;
    assert_eq!(client.closed_in_time().await, "");
    server.eventually(counted(Timeout::KeepAlive)).await;
}

#[tokio::test]
async fn an_active_connection_stays() {
    let server = fair_server();
    let mut client = server.connect().await;
    for _ in 0..12 {
        sleep(FAIR_PATIENCE / 4).await;
        assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(server.running.snapshot().accepted, 1);
}

#[tokio::test]
async fn a_slow_service_is_not_the_clients_fault() {
    let mut settings = impatient();
    settings.timeouts.body_idle = Duration::from_millis(100);
    settings.timeouts.rate_grace = Duration::from_millis(100);
    let server = start(settings, tester());
    let mut client = server.connect().await;
    assert!(client.get("/slow").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_part_of_the_http2_preface_is_closed() {
    let server = server();
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n").await;
    assert_eq!(client.closed_in_time().await, "");
}

#[tokio::test]
async fn http2_without_a_request_gets_goaway() {
    let server = server();
    for hello in [server_kit::PREFACE.to_vec(), hello_http2(&[])] {
        let mut client = server.connect().await;
        client.send(&hello).await;
        client.closed_in_time().await;
    }
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Silence) == 2 && snapshot.active == 0).await;
}

#[tokio::test]
async fn http2_idle_after_a_request_gets_goaway() {
    let server = server();
    let mut client = server.connect().await;
    client.send([hello_http2(&[]), frame(4, 1, 0, &[]), head(1, "GET", "/", true)].concat()).await;
    let (read, took) = client.until_closed().await;
    assert_eq!(server_kit::goaway(&read), Some(0), "{:?}", server_kit::frames(&read));
    assert!(took < PATIENCE + Duration::from_secs(1), "took {took:?}");
    server.eventually(counted(Timeout::KeepAlive)).await;
}

#[tokio::test]
async fn a_stalled_body_is_answered_with_408() {
    let server = server();
    let heads = [
        "content-length: 5\r\n\r\nab",
        "transfer-encoding: chunked\r\n\r\n5\r\nab",
        "transfer-encoding: chunked\r\n\r\n5",
    ];
    for head in heads {
        let mut client = server.connect().await;
        client.send(format!("POST /echo HTTP/1.1\r\nhost: a\r\n{head}")).await;
        assert!(client.closed_in_time().await.starts_with("HTTP/1.1 408 "));
    }
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Body) == 3).await;
}

#[tokio::test]
async fn a_body_in_drops_is_answered_with_408() {
    let server = server();
    let begin = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n";
    let (read, took) = drip(&mut server.connect().await, begin, "x").await;
    assert!(
        read.starts_with("HTTP/1.1 408 ") && took < PATIENCE + Duration::from_secs(1),
        "{read:?} {took:?}"
    );
}

#[tokio::test]
async fn a_body_at_a_fair_rate_is_taken() {
    let server = fair_server();
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3000\r\n\r\n").await;
    for _ in 0..30 {
        sleep(FAIR_PATIENCE / 12).await;
        client.send([b'x'; 100]).await;
    }
    assert!(client.read_until(&"x".repeat(3000)).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_stalled_http2_body_ends_only_its_stream() {
    // The next request may come late.
    let mut settings = impatient();
    settings.timeouts.keep_alive = Duration::from_secs(3);
    let server = start(settings, tester());
    let mut client = server.connect().await;
    let begin =
        [hello_http2(&[]), frame(4, 1, 0, &[]), head(1, "POST", "/echo", false), frame(0, 0, 1, b"ab")];
    client.send(begin.concat()).await;
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Body) == 1).await;
    client.send(head(3, "GET", "/", true)).await;
    let (read, _) = client.until_closed().await;
    let answers: Vec<_> = server_kit::frames(&read).into_iter().filter(|(kind, ..)| *kind == 1).collect();
    assert_eq!(answers.iter().map(|(_, _, stream, _)| *stream).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(answers[1].3[0], 0x88, "an indexed :status 200");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    make_big().await;
    let server = server();
    let mut client = server.connect().await;
    client.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let begin = Instant::now();
    server.eventually(counted(Timeout::Write)).await;
    assert!(begin.elapsed() < PATIENCE + SOON);
    let (read, _) = client.until_closed().await;
    assert!(read.len() < 64 << 20);
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_a_while_gets_its_answer() {
    let mut settings = impatient();
    settings.timeouts.write_idle = Duration::from_secs(5);
    let server = start(settings, tester());
    let mut client = server.connect().await;
    client.send("GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    sleep(PATIENCE * 3).await;
    let (read, _) = client.until_closed().await;
    assert!(read.len() > 64 << 20, "cut after {}", read.len());
    assert_eq!(server.running.snapshot().timed_out(Timeout::Write), 0);
}

/// A socket that takes nothing while its reader reads would make an honest one late.
#[tokio::test]
async fn a_slow_reader_shows_its_progress() {
    let mut settings = impatient();
    settings.timeouts.write_idle = Duration::from_millis(1_500);
    let server = start(settings, tester());
    let mut client = server.connect().await;
    client.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(5) {
        // 400 kB/s: a third of a send buffer of megabytes would take longer than the patience.
        let mut buf = vec![0; 20_000];
        let len = tokio::io::AsyncReadExt::read(&mut client.0, &mut buf).await.unwrap();
        assert_ne!(len, 0);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.running.snapshot().timed_out(Timeout::Write), 0);
}

#[tokio::test]
async fn an_http2_client_with_no_window_is_cut() {
    let server = server();
    let mut client = server.connect().await;
    // SETTINGS_INITIAL_WINDOW_SIZE (4) of 0.
    client.send([hello_http2(&[(4, 0)]), frame(4, 1, 0, &[]), head(1, "GET", "/", true)].concat()).await;
    client.closed_in_time().await;
    server.eventually(counted(Timeout::Write)).await;
}

#[tokio::test]
async fn an_http2_client_that_opens_its_window_a_byte_at_a_time_is_cut() {
    make_big().await;
    let server = server();
    let mut client = server.connect().await;
    client.send([hello_http2(&[(4, 0)]), frame(4, 1, 0, &[]), head(1, "GET", "/big", true)].concat()).await;
    let begin = Instant::now();
    while client.try_send(frame(8, 0, 1, &1_u32.to_be_bytes())).await {
        sleep(Duration::from_millis(20)).await;
        assert!(begin.elapsed() < PATIENCE + SOON);
    }
}

#[tokio::test]
async fn one_stopped_http2_answer_beside_a_running_one_is_reset_alone() {
    let server = fair_server();
    let mut client = server.connect().await;
    let heads = [head(1, "GET", "/big", true), head(3, "GET", "/big", true)].concat();
    client.send([hello_http2(&[(4, 0)]), frame(4, 1, 0, &[]), heads].concat()).await;
    // Until the stopped one was reset, and then for longer than the patience. All of it fits in the
    // connection's window.
    let (begin, mut more) = (Instant::now(), 0);
    while more < 15 {
        client.send(frame(8, 0, 3, &500_u32.to_be_bytes())).await;
        sleep(FAIR_PATIENCE / 10).await;
        if server.running.snapshot().timed_out(Timeout::Write) > 0 {
            more += 1;
        } else {
            assert!(begin.elapsed() < Duration::from_secs(10), "nothing is reset");
        }
    }
    let mut read = Vec::new();
    while matches!(client.0.try_read_buf(&mut read), Ok(1..)) {}
    let resets = server_kit::frames(&read).into_iter().filter(|(kind, ..)| *kind == 3);
    assert_eq!(resets.map(|(_, _, stream, _)| stream).collect::<Vec<_>>(), [1]);
    let now = server.running.snapshot();
    assert_eq!((now.timed_out(Timeout::Write), now.active), (1, 1));
}

#[tokio::test]
async fn an_http2_client_that_opens_its_window_fairly_stays() {
    let server = fair_server();
    let mut client = server.connect().await;
    client.send([hello_http2(&[(4, 0)]), frame(4, 1, 0, &[]), head(1, "GET", "/big", true)].concat()).await;
    // The answer is one chunk of 64 MiB: it is never whole, but it moves.
    for _ in 0..30 {
        client.send(frame(8, 0, 1, &1000_u32.to_be_bytes())).await;
        sleep(FAIR_PATIENCE / 10).await;
    }
    assert_eq!(server.running.snapshot().timed_out(Timeout::Write), 0);
    assert_eq!(server.running.snapshot().active, 1);
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_fairly_gets_its_answer() {
    let server = fair_server();
    let mut client = server.connect().await;
    client.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let (begin, mut read) = (Instant::now(), 0_usize);
    let mut buf = vec![0; 800 << 10];
    while read < 64 << 20 {
        sleep(Duration::from_millis(5)).await;
        // 25 MB/s at most: the socket is full nearly all the time, for more than twice the patience.
        if read as u128 > begin.elapsed().as_millis() * 25_000 {
            continue;
        }
        let len = tokio::io::AsyncReadExt::read(&mut client.0, &mut buf).await.unwrap();
        assert_ne!(len, 0, "closed after {read}");
        read += len;
    }
    assert_eq!(server.running.snapshot().timed_out(Timeout::Write), 0);
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_closed() {
    let certificates = Certificates::new(&gateway_core::config::Config::default()).unwrap();
    let server = start_tls(impatient(), &certificates, tester());
    assert_eq!(server.connect().await.closed_in_time().await, "");
    let mut client = server.connect().await;
    client.send([22, 3, 1, 2]).await;
    assert_eq!(client.closed_in_time().await, "");
    server.eventually(|snapshot| snapshot.timed_out(Timeout::Handshake) == 2 && snapshot.active == 0).await;
}
