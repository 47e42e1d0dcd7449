//! The Admin API over HTTP/2.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use gateway_control::{Control, admin::Access};
use gateway_core::Gateway;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Bytes, Frame},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::kit::Node;

/// RFC 9113 8.1: a refusal does not wait for a body, and is not lost for it.
#[test]
fn an_early_refusal_arrives() {
    let access = Access::default().token("deploys", "s3cret");
    let node = Node::open_to(Control::new(Gateway::builder().build().unwrap()), access);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..5 {
            let stream = TcpStream::connect(node.address).await.unwrap();
            let (mut client, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            let driver = tokio::spawn(connection);
            let piece = Bytes::from(vec![b'a'; 64 << 10]);
            let taken = Arc::new(AtomicU32::new(0));
            let counter = Arc::clone(&taken);
            let pieces = (0..168).map(move |_| {
                counter.fetch_add(1, Relaxed);
                Ok::<_, Infallible>(Frame::data(piece.clone()))
            });
            let body = StreamBody::new(futures_util::stream::iter(pieces));
            let uri = format!("http://{}/batch", node.address);
            let asked = client.send_request(Request::post(uri).body(body).unwrap());
            let answer = timeout(Duration::from_secs(20), asked).await.unwrap().unwrap();
            assert_eq!(answer.status(), 401);
            let body = timeout(Duration::from_secs(20), answer.into_body().collect()).await.unwrap();
            assert_eq!(body.unwrap().to_bytes(), &br#"{"message":"Unauthorized"}"#[..]);
            // No reset overtakes the answer: the body is heard out, and thrown away.
            let all = async {
                while taken.load(Relaxed) < 168 {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(20), all).await.unwrap();
            driver.abort();
        }
    });
}
