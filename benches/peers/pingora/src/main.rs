//! Pingora set up as `../kong.yml`: one thread, two targets in turn, the same header work both ways.
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use async_trait::async_trait;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::lb::LoadBalancer;
use pingora::lb::selection::RoundRobin;
use pingora::prelude::*;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::configuration::ServerConf;
use uuid::Uuid;

const LISTEN: &str = "127.0.0.1:18084";
const LISTEN_PORT: &str = "18084";
const TARGETS: [&str; 2] = ["127.0.0.1:19101", "127.0.0.1:19102"];
const ROUTE: &str = "/api";
const VIA: &str = "1.1 pingora";

fn main() {
    let conf = ServerConf { threads: 1, work_stealing: false, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let targets = LoadBalancer::try_from_iter(TARGETS).expect("two literal addresses");
    let mut service = http_proxy_service(&server.configuration, Proxy { targets });
    service.add_tcp(LISTEN);
    server.add_service(service);
    server.run_forever();
}

struct Proxy {
    targets: LoadBalancer<RoundRobin>,
}

/// What one request carries from phase to phase.
struct Exchange {
    id: String,
    received: Instant,
    sent: Instant,
    target: Option<SocketAddr>,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        let now = Instant::now();
        Exchange { id: Uuid::new_v4().simple().to_string(), received: now, sent: now, target: None }
    }

    async fn request_filter(&self, session: &mut Session, _: &mut Exchange) -> Result<bool> {
        if session.req_header().uri.path().starts_with(ROUTE) {
            return Ok(false);
        }
        session.respond_error(404).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        let target = self.targets.select(b"", 2).ok_or_else(|| Error::new_str("no target"))?;
        exchange.target = target.addr.as_inet().copied();
        Ok(Box::new(HttpPeer::new(target, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.sent = Instant::now();
        let client = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|address| address.ip().to_string());
        let client = client.unwrap_or_default();
        let path = session.req_header().uri.path();
        let host = header(session.req_header(), "host");
        let host = host.rsplit_once(':').map_or(host, |(name, _port)| name);

        request.set_uri(
            stripped(session.req_header()).parse().or_err(ErrorType::InternalError, "stripped path")?,
        );
        request.insert_header("Via", appended(header(request, "via"), VIA))?;
        if let Some(target) = exchange.target {
            request.insert_header("Host", target.to_string())?;
        }
        request.insert_header("Connection", "keep-alive")?;
        request.insert_header("X-Forwarded-For", appended(header(request, "x-forwarded-for"), &client))?;
        request.insert_header("X-Forwarded-Proto", "http")?;
        request.insert_header("X-Forwarded-Host", host)?;
        request.insert_header("X-Forwarded-Port", LISTEN_PORT)?;
        request.insert_header("X-Forwarded-Path", path)?;
        request.insert_header("X-Forwarded-Prefix", ROUTE)?;
        request.insert_header("X-Real-IP", client.as_str())?;
        request.insert_header("X-Kong-Request-Id", exchange.id.as_str())
    }

    async fn response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        let via = response.headers.get("via").and_then(|value| value.to_str().ok()).unwrap_or_default();
        response.insert_header("Via", appended(via, VIA))?;
        response.insert_header("X-Kong-Upstream-Latency", exchange.sent.elapsed().as_millis().to_string())?;
        let own = exchange.sent.duration_since(exchange.received);
        response.insert_header("X-Kong-Proxy-Latency", own.as_millis().to_string())?;
        response.insert_header("X-Kong-Request-Id", exchange.id.as_str())
    }
}

/// The request target without the route's prefix.
fn stripped(request: &RequestHeader) -> String {
    let path = request.uri.path();
    let mut target = String::with_capacity(path.len() + 1);
    let rest = path.strip_prefix(ROUTE).unwrap_or(path);
    if !rest.starts_with('/') {
        target.push('/');
    }
    target.push_str(rest);
    if let Some(query) = request.uri.query() {
        // Writing to a `String` cannot fail.
        let _ = write!(target, "?{query}");
    }
    target
}

fn header<'a>(request: &'a RequestHeader, name: &str) -> &'a str {
    request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn appended(before: &str, value: &str) -> String {
    if before.is_empty() { value.to_owned() } else { format!("{before}, {value}") }
}
