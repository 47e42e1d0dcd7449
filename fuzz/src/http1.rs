//! What clients send.

use std::{net::SocketAddr, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Plugin, Route, schema::Record},
    plugin::{self, Configured, Exchange, Flow, Handler},
    sanitize::canonical_path,
    server::serve_connection,
};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::within;

/// Whatever comes in on a connection: answers that are HTTP, none of them the gateway's fault, and no request seen
/// by a plugin that is not canonical.
pub fn http1(data: &[u8]) {
    let answers = within(async {
        let gateway =
            Gateway::builder().config(all_to("mirror")).plugins(mirror()).build().expect("a gateway");
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serve = gateway.serve(0);
        let nowhere = SocketAddr::from(([192, 0, 2, 1], 1));
        let serving = serve_connection(server, ConnectInfo::new(nowhere, nowhere), serve);
        let talking = async {
            let data = data.get(..100_000).unwrap_or(data);
            let _ = client.write_all(data).await;
            let _ = client.shutdown().await;
            let mut read = Vec::new();
            let _ = client.read_to_end(&mut read).await;
            read
        };
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(serving, talking).1 })
            .await
            .expect("an end")
    });
    if data.starts_with(b"PRI * HTTP/2.0") {
        return;
    }
    let mut rest = answers.as_slice();
    while !rest.is_empty() {
        let head = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        let text = std::str::from_utf8(&rest[..head]).expect("a head of ASCII");
        let status = text.get(9..12).and_then(|status| status.parse::<u16>().ok()).expect("a status");
        assert!(
            matches!(status, 100 | 200..=299 | 400..=499 | 501),
            "{status} for {:?}",
            String::from_utf8_lossy(data)
        );
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = field("content-length:").map_or(0, |length| length.parse::<usize>().expect("a length"));
        // The mirror says of what method it was: an answer to HEAD has a length and no body.
        let length = if field("x-method:") == Some("HEAD") { 0 } else { length };
        let end = (head + 4 + length).min(rest.len());
        if status >= 400 && field("connection:") == Some("close") {
            // Nothing comes after it but its body.
            return;
        }
        rest = &rest[end..];
    }
}

/// Every request, to one plugin that answers it.
fn all_to(plugin: &str) -> Config {
    let mut route = Route::new("all");
    route.paths = Some(vec!["/".into()]);
    Config::default().with(route).with(Plugin::new(plugin, serde_json::json!({})))
}

/// Reads the body and says what it was asked.
struct Mirror(Record);

impl plugin::Plugin for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.0
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Ok(Configured::handler(Self(Record::default())))
    }
}

impl Handler for Mirror {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let path = request.uri().path();
        assert_eq!(canonical_path(path).as_deref(), Ok(path), "a plugin sees a path that is not canonical");
        assert!(request.uri().authority().is_none(), "a plugin sees an absolute target");
        assert!(request.headers().get_all("host").iter().count() <= 1, "a plugin sees two hosts");
        for gone in ["transfer-encoding", "connection", "keep-alive", "upgrade", "expect"] {
            assert!(!request.headers().contains_key(gone), "a plugin sees {gone}");
        }
        let mut response = Response::new(Body::empty());
        if let Ok(method) = HeaderValue::from_str(exchange.method.as_str()) {
            response.headers_mut().insert("x-method", method);
        }
        let body = std::mem::take(request.body_mut());
        Flow::wait(body.collect(), move |read, _, _| {
            match read {
                Ok(read) => *response.body_mut() = Body::from(read.to_bytes()),
                Err(_) => *response.status_mut() = http::StatusCode::BAD_REQUEST,
            }
            Flow::reply(response)
        })
    }
}

fn mirror() -> plugin::Registry {
    plugin::Registry::empty().with(Mirror(Record::default()))
}
