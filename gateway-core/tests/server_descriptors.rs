//! Out of descriptors: no spin, running connections go on, and new ones come in once there is room.
//! Alone in its file, because the limit is that of the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

mod server_kit;

use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use server_kit::{settings, start, tester};
use tokio::time::sleep;

#[tokio::test]
async fn accepting_pauses_and_recovers() {
    let mut one = settings();
    one.workers = 1;
    let server = start(one, tester());
    let mut open = server.connect().await;
    open.get("/").await;

    let mut waiting = vec![server.connect().await];
    server.eventually(|now| now.active == 2).await;
    // The client's sockets come from the same table: they are made before it is full.
    let sockets: Vec<_> =
        std::iter::repeat_with(|| tokio::net::TcpSocket::new_v4().unwrap()).take(20).collect();
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit;
    limit.current = Some(3);
    setrlimit(Resource::Nofile, limit).unwrap();
    for socket in sockets {
        waiting.push(server_kit::Client(socket.connect(server.address).await.unwrap()));
    }
    server.eventually(|now| now.accept_errors > 0).await;
    sleep(Duration::from_millis(1_000)).await;
    let errors = server.running.snapshot().accept_errors;
    assert!((2..=8).contains(&errors), "{errors} failed accepts in a second");
    assert!(open.get("/").await.starts_with("HTTP/1.1 200 "));

    setrlimit(Resource::Nofile, before).unwrap();
    for mut client in waiting {
        assert!(client.get("/").await.starts_with("HTTP/1.1 200 "));
    }
}
