//! What runs without a file: an upstream that echoes, and a handful of routes to it.

use std::{io, net::SocketAddr, sync::Arc};

use gateway_core::{
    Body, ConnectInfo,
    config::{Config, Plugin, Route, Service},
    server::{Bound, Running, Server, Settings},
};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Things to try: what, and what is seen.
pub(crate) const TRY: [(&str, &str); 3] = [
    ("'{base}/echo?name=you'", "what the upstream sees of your request"),
    ("-H 'X-Version: 2' '{base}/echo'", "the same path; a header leads to another route"),
    ("-d 'more than ten bytes' '{base}/users/42'", "a path by regular expression, a plugin that says no"),
];

/// The upstream on a free port of loopback, not serving yet.
pub(crate) fn bind() -> Result<(SocketAddr, Bound), Failure> {
    let mut settings = Settings::default();
    settings.workers = 1;
    let bound = Server::new(settings).listen(SocketAddr::from(([127, 0, 0, 1], 0))).bind()?;
    let address = bound.addresses().first().copied();
    let address = address.ok_or_else(|| Failure::new("the demo's upstream has no address"))?;
    Ok((address, bound))
}

/// Starts it, on a thread of its own.
pub(crate) fn start(upstream: Bound) -> io::Result<Running> {
    upstream.start(|_| |_: &Arc<ConnectInfo>, request: Request<Body>| echo(request))
}

async fn echo(request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let headers: Map<_, _> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let length = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let seen = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query().map_or(Value::Null, Value::from),
        "headers": headers,
        "body_bytes": length,
    });
    let mut response = Response::new(Body::from(format!("{seen:#}\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The routes to it.
pub(crate) fn config(upstream: SocketAddr) -> Config {
    let service = |name, path: Option<&str>| {
        let mut service = Service::new(name, &upstream.ip().to_string());
        service.port = upstream.port();
        service.path = path.map(str::to_owned);
        service
    };
    let (echo, next) = (service("echo", None), service("echo-v2", Some("/v2")));
    let route = |name: &str, path: &str, service: &Service| {
        let mut route = Route::new(name).to(service);
        route.paths = Some(vec![path.to_owned()]);
        route.strip_path = false;
        route
    };
    let mut by_header = route("echo-v2", "/echo", &next);
    by_header.headers = Some([("x-version".to_owned(), vec!["2".to_owned()])].into_iter().collect());
    let users = route("users", r"~/users/(?<id>\d+)$", &echo);
    let browser = route("browser", "/browser", &echo);
    let size = json!({ "allowed_payload_size": 10, "size_unit": "bytes" });
    let correlation = json!({ "header_name": "X-Correlation-Id", "echo_downstream": true });
    Config::default()
        .with(Plugin::new("request-size-limiting", size).on_route(&users))
        .with(Plugin::new("cors", json!({ "origins": ["http://localhost:3000"] })).on_route(&browser))
        .with(Plugin::new("correlation-id", correlation))
        .with(route("echo", "/echo", &echo))
        .with(by_header)
        .with(users)
        .with(browser)
        .with(echo)
        .with(next)
}
