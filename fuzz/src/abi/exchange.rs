//! One exchange through the handler, as the chain does it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gateway_core::{
    Body, ConnectInfo,
    plugin::{Exchange, Flow, Handler},
};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};

/// One exchange through the handler, as the chain does it.
pub(super) async fn request(handler: &dyn Handler) {
    let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
    let mut request = Request::new(body());
    *request.uri_mut() = http::Uri::from_static("/a?b=c");
    request.headers_mut().insert("host", http::HeaderValue::from_static("a.example"));
    request.headers_mut().insert("content-length", http::HeaderValue::from_static("5"));
    let reply = phase(handler.on_request(&mut request, &mut exchange), &mut request, &mut exchange).await;
    framed(request.headers());
    drain(std::mem::take(request.body_mut())).await;
    let mut response = match reply {
        Some(reply) => reply,
        None => {
            let mut response = Response::new(body());
            response.headers_mut().insert("content-length", http::HeaderValue::from_static("5"));
            response
        }
    };
    let other = phase(handler.on_response(&mut response, &mut exchange), &mut response, &mut exchange).await;
    let response = other.unwrap_or(response);
    framed(response.headers());
    drain(response.into_body()).await;
    handler.on_log(&exchange);
    // Ticks, and answers that nobody waits for.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn body() -> Body {
    let trailers = [("x-sum".parse().expect("a name"), http::HeaderValue::from_static("7"))];
    let trailers: HeaderMap = trailers.into_iter().collect();
    Body::new(Full::new(Bytes::from_static(b"12345")).with_trailers(async { Some(Ok(trailers)) }))
}

/// The answer, if there is one; whoever is held for ever has left.
async fn phase<M>(mut flow: Flow<M>, message: &mut M, exchange: &mut Exchange) -> Option<Response<Body>> {
    loop {
        match flow {
            Flow::Continue => return None,
            Flow::Reply(reply) => {
                assert!((200..=599).contains(&reply.status().as_u16()), "{reply:?}");
                return Some(*reply);
            }
            Flow::Wait(wait) => match tokio::time::timeout(Duration::from_secs(5), wait).await {
                Ok(resume) => flow = resume(message, exchange),
                Err(_) => return Some(Response::new(Body::empty())),
            },
        }
    }
}

/// What frames a message is as it was, or gone.
fn framed(headers: &HeaderMap) {
    let lengths: Vec<_> = headers.get_all("content-length").iter().collect();
    assert!(lengths.len() <= 1, "{headers:?}");
    for name in ["transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
}

async fn drain(body: Body) {
    // A guest may hold it, or break it off.
    let _ = tokio::time::timeout(Duration::from_secs(5), body.collect()).await;
}
