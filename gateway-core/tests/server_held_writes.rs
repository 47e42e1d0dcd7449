//! Clients that take no care of the short answers that they ask for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::time::Duration;

use gateway_core::server::{Certificates, Timeout};
use server_kit::{TestServer, certified, impatient, start, start_tls, tester, tls_over};
use socket2::SockRef;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(60);
const ASK: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server that would wait long for the next request.
fn settings() -> gateway_core::server::Settings {
    let mut settings = impatient();
    settings.timeouts.keep_alive = LONG;
    settings.timeouts.head = LONG;
    settings
}

/// A client that has room for little.
async fn connect(server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Asks, and reads nothing, until the server takes no more.
async fn ask(mut client: impl AsyncWrite + Unpin) {
    let many = ASK.repeat(500);
    for _ in 0..400 {
        if !matches!(timeout(Duration::from_secs(5), client.write_all(many.as_bytes())).await, Ok(Ok(()))) {
            return;
        }
    }
    panic!("it answers on and on");
}

#[tokio::test]
async fn a_client_that_asks_on_and_on_and_reads_nothing_is_cut() {
    let server = start(settings(), tester());
    ask(connect(&server).await).await;
    server.eventually(|now| now.active == 0 && now.timed_out(Timeout::Write) == 1).await;
}

#[tokio::test]
async fn so_is_one_over_tls() {
    let certificates = Certificates::new(&certified(&["*"])).unwrap();
    let server = start_tls(settings(), &certificates, tester());
    let client = tls_over(connect(&server).await, "one.test", None).await.unwrap();
    ask(client).await;
    server.eventually(|now| now.active == 0 && now.timed_out(Timeout::Write) == 1).await;
}

#[tokio::test]
async fn resets_in_the_midst_of_answers_leave_nothing_behind() {
    let server = start(settings(), tester());
    for _ in 0..300 {
        let mut client = connect(&server).await;
        client.write_all(ASK.repeat(20).as_bytes()).await.unwrap();
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.eventually(|now| now.accepted >= 300 && now.active == 0).await;
    server.connect().await.get("/").await;
}

#[tokio::test]
async fn a_close_comes_behind_all_of_the_answers() {
    let server = start(settings(), tester());
    for count in [0, 100, 1_000] {
        let mut client = server.connect().await;
        client.send(ASK.repeat(count)).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let (read, _) = client.until_closed().await;
        assert_eq!(String::from_utf8(read).unwrap().matches("hello").count(), count + 1);
    }
}
