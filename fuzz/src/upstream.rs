//! What upstreams answer.

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Route, Service},
};
use http::Request;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::within;

/// Whatever an upstream answers: a response that a client may see, and the next request gets its own answer.
pub fn upstream(data: &[u8]) {
    let data = Arc::<[u8]>::from(data.get(..100_000).unwrap_or(data));
    within(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("its address");
        let answers = Arc::clone(&data);
        let upstream = async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other: a connection ends with its odd answer.
                let _ = answer_all(stream, &answers).await;
            }
        };
        let mut service = Service::new("odd", "127.0.0.1");
        (service.port, service.retries, service.read_timeout) = (address.port(), 0, 5_000);
        let mut route = Route::new("all").to(&service);
        route.paths = Some(vec!["/".into()]);
        let config = Config::default().with(service).with(route);
        let gateway = Gateway::builder().config(config).build().expect("a gateway");
        let asking = async {
            let (status, body) = ask(&gateway, "/odd").await;
            assert!((200..600).contains(&status), "{status} {:?}", String::from_utf8_lossy(&data));
            let own = status == 502;
            assert!(own || body.is_none_or(|body| body.len() <= data.len()), "more than there was");
            for _ in 0..2 {
                let (status, body) = ask(&gateway, "/canary").await;
                let right = status == 200 && body.as_deref() == Some(b"canary");
                assert!(right, "{status} {body:?} after {:?}", String::from_utf8_lossy(&data));
            }
        };
        tokio::select! {
            () = upstream => {}
            asked = tokio::time::timeout(Duration::from_secs(20), asking) => asked.expect("an end"),
        }
    });
}

/// Answers requests for `/canary` well, and another one with `odd`, which is the last.
async fn answer_all(mut stream: tokio::net::TcpStream, odd: &[u8]) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        if !head.starts_with(b"GET /canary ") {
            stream.write_all(odd).await?;
            return stream.shutdown().await;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ncanary").await?;
    }
}

/// The status of the answer and its body, where that is whole.
async fn ask(gateway: &Gateway, path: &str) -> (u16, Option<Vec<u8>>) {
    let connection = Arc::new(ConnectInfo::unknown());
    let request = Request::get(path).header("host", "a").body(Body::empty()).expect("a request");
    let response = gateway.handle(&connection, request).await;
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.ok().map(|body| body.to_bytes().to_vec()))
}
