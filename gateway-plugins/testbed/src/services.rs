//! Servers of this machine that a test answers for.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use plugin_sdk::testing::wire;
use tokio::net::TcpListener;

use crate::{
    body::{body, fields, headers},
    link::Link,
};

/// Serves for a service, as long as the session's runtime lives: its port.
pub(crate) async fn serve(name: String, link: Arc<Link>) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (name, link) = (name.clone(), Arc::clone(&link));
            let service = service_fn(move |request| answer(name.clone(), Arc::clone(&link), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(port)
}

async fn answer(
    name: String,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, incoming) = request.into_parts();
    let whole = incoming.collect().await?.to_bytes();
    let request = wire::Request {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        client_ip: String::new(),
        fields: fields(&head.headers),
        pieces: vec![whole.to_vec()],
    };
    let answer = link.ask(&name, request).await.ok_or("the test breaks the connection")?;
    let mut response = Response::new(body(answer.pieces));
    *response.status_mut() = answer.status.try_into()?;
    *response.headers_mut() = headers(&answer.fields);
    Ok(response)
}
