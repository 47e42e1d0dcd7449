//! Chunked bodies and their trailers (F8 to F10).

use crate::range::{Closes, Keeps, Range, Vector, post, streamed};

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
