//! What the fuzz targets do with their bytes. Each function panics where something does not hold, whatever the
//! bytes are. `gateway-core/tests/fuzz_corpus.rs` runs the same functions over the committed corpora.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Config, Plugin, Route, Service, Target, Upstream, schema::Record},
    plugin::{self, Configured, Exchange, Flow, Handler},
    router::{Expression, Flavor, Head, Router},
    sanitize::{Host, canonical_path, refuse_ambiguous},
    server::{ProxyHead, serve_connection},
    upstream::{Resolve, Resolving},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

/// A path is refused, or has one form that any server reads alike.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(canonical) = canonical_path(text) else { return };
    assert_eq!(canonical_path(&canonical).as_deref(), Ok(&*canonical), "{text:?} has two forms");
    assert!(canonical.starts_with('/') && !canonical.contains("//"), "{text:?} -> {canonical:?}");
    assert!(
        canonical.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\<>\"{}|^`".contains(&byte)),
        "{canonical:?}"
    );
    assert!(
        canonical.split('/').all(|segment| segment != "." && segment != ".."),
        "{text:?} -> {canonical:?}"
    );
    let once = decoded(&canonical);
    assert!(!once.contains(&0), "{text:?} -> {canonical:?} has a NUL");
    assert!(!climbs(&once), "{text:?} -> {canonical:?} climbs above the root once decoded");
    if refuse_ambiguous(&canonical).is_ok() {
        assert_eq!(once.iter().filter(|byte| **byte == b'/').count(), canonical.matches('/').count());
        assert!(!once.contains(&b'\\'), "{text:?} -> {canonical:?}");
    }
}

/// A path as an upstream decodes it, once.
fn decoded(path: &str) -> Vec<u8> {
    let (mut rest, mut out) = (path.as_bytes(), Vec::new());
    while let Some((first, more)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| more.split_at_checked(2)).flatten();
        let value =
            escaped.and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (value, escaped) {
            (Some(value), Some((_, more))) => {
                out.push(value);
                rest = more;
            }
            _ => {
                assert_ne!(*first, b'%', "a bad escape in {path:?}");
                out.push(*first);
                rest = more;
            }
        }
    }
    out
}

/// Whether dot segments lead out of the root at any point.
fn climbs(path: &[u8]) -> bool {
    let mut depth = 0_i32;
    path.split(|byte| *byte == b'/').any(|segment| {
        match segment {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        depth < 0
    })
}

/// A host is refused, or has one form that `http` takes for an authority too.
pub fn host(data: &[u8]) {
    let Ok(field) = HeaderValue::from_bytes(data) else { return };
    let Ok(host) = Host::from_field(&field) else {
        assert!(Host::verbatim(&field).is_err(), "{field:?} is valid one way only");
        return;
    };
    let again = Host::from_field(host.value()).expect("the canonical form is valid");
    assert_eq!(again, host, "{field:?} has two forms");
    let text = host.value().to_str().expect("a host is ASCII");
    assert_eq!(text, text.to_ascii_lowercase());
    assert!(!host.name().is_empty() && !host.name().ends_with('.'), "{field:?} -> {text:?}");
    assert!(!text.contains(['/', '@', '?', '#', '\\', ',', ' ', '%']), "{field:?} -> {text:?}");
    let authority: http::uri::Authority = text.parse().expect("an authority");
    assert_eq!((authority.host(), authority.port_u16()), (host.name(), host.port()));
    assert_eq!(Host::from_authority(&authority).expect("valid both ways"), host);
}

/// An entity with some of its fields out of a JSON object, the others at their defaults.
fn patched<E: Clone + Entity>(default: &E, patches: &Value, kind: &str) -> Vec<E> {
    let patches = patches.get(kind).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    patches.iter().take(16).filter_map(|patch| default.clone().patched(patch)).collect()
}

/// What can be written as JSON and read again.
trait Entity: Sized {
    fn patched(self, patch: &Value) -> Option<Self>;
}

macro_rules! entities {
    ($($kind:ty),*) => {
        $(impl Entity for $kind {
            fn patched(self, patch: &Value) -> Option<Self> {
                let mut value = serde_json::to_value(self).expect("entities are JSON");
                let fields = value.as_object_mut().expect("entities are objects");
                for (name, field) in patch.as_object()? {
                    fields.insert(name.clone(), field.clone());
                }
                serde_json::from_value(value).ok()
            }
        })*
    };
}
entities!(Service, Route, Plugin, Upstream, Target);

/// A configuration of hostile but well-typed entities is refused with its problems, or served.
pub fn config(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let upstream = Upstream::new("u");
    let mut config = Config::default();
    for service in patched(&Service::new("s", "127.0.0.1"), &value, "services") {
        config = config.with(service);
    }
    for route in patched(&Route::new("r").to(&Service::new("s", "h")), &value, "routes") {
        config = config.with(route);
    }
    for plugin in patched(&Plugin::new("cors", serde_json::json!({})), &value, "plugins") {
        config = config.with(plugin);
    }
    for target in patched(&Target::new(&upstream, "127.0.0.1:1"), &value, "targets") {
        config = config.with(target);
    }
    for upstream in patched(&upstream, &value, "upstreams") {
        config = config.with(upstream);
    }
    within(async {
        let mut settings = gateway_core::Settings::default();
        settings.shards = 1;
        match Gateway::builder().config(config.clone()).settings(settings).resolver(Nowhere).build() {
            Ok(gateway) => {
                let change = gateway.reload(&config).expect("it was taken once");
                assert!(change.is_empty(), "{change:?}");
                assert!(
                    !gateway
                        .reload(&config.with(Service::new("one-more", "h")))
                        .expect("one more")
                        .is_empty()
                );
            }
            Err(problems) => assert!(!problems.to_string().is_empty()),
        }
    });
}

/// Knows no name.
#[derive(Debug)]
struct Nowhere;

impl Resolve for Nowhere {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { Err("no names here".into()) })
    }
}

/// Routes, one a line (`p` path, `h` host, `m` method: of one route, until `-`), then after an empty line
/// requests: `METHOD host path`.
pub fn router(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (routes, requests) = text.split_once("\n\n").unwrap_or((text, "GET a /"));
    let routes = routes.split("\n-").take(64).enumerate().map(|(number, lines)| {
        let mut route = Route::new(&number.to_string());
        for line in lines.lines() {
            match line.split_at_checked(2) {
                Some(("p ", path)) => route.paths.get_or_insert_default().push(path.to_owned()),
                Some(("h ", host)) => route.hosts.get_or_insert_default().push(host.to_owned()),
                Some(("m ", method)) => route.methods.get_or_insert_default().push(method.to_owned()),
                _ => {}
            }
        }
        (Arc::new(route), number)
    });
    let Ok(router) = Router::new(routes) else { return };
    for line in requests.lines().take(64) {
        let mut words = line.splitn(3, ' ');
        let (Some(method), Some(host), Some(path)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let (Ok(method), Ok(path)) = (Method::from_bytes(method.as_bytes()), canonical_path(path)) else {
            continue;
        };
        let headers = HeaderMap::new();
        let head = Head::new(&method, host, &path, &headers);
        let Some(found) = router.find(&head) else { continue };
        assert!(found.matched <= path.len(), "{line:?}");
        let (route, _) = router.iter().find(|(_, value)| *value == found.value).expect("one of the routes");
        let mut methods = route.methods.iter().flatten();
        assert!(route.methods.is_none() || methods.any(|known| known == method.as_str()), "{line:?}");
        if let Some(paths) = &route.paths
            && paths.iter().all(|path| canonical_path(path).is_ok())
        {
            // A literal path that may stand in a config is a prefix, byte by byte, of what it took.
            let taken = path.get(..found.matched).unwrap_or_default();
            let literal =
                |known: &String| known == taken || canonical_path(known).is_ok_and(|known| known == taken);
            assert!(paths.iter().any(literal), "{line:?} took {taken:?} of {paths:?}");
        }
        let same = router.find(&head).expect("the same answer twice");
        assert_eq!((same.value, same.matched), (found.value, found.matched));
    }
}

/// An expression is refused with a picture of where it is wrong, or reads as it is written, and a route with it takes
/// what it takes alone.
pub fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            let message = error.to_string();
            assert!(error.line() >= 1 && error.column() >= 1 && message.contains("--> "), "{message}");
            // A regular expression that does not parse is shown twice more.
            assert!(message.len() < 4 * text.len() + 2_000, "{message}");
            return;
        }
    };
    let written = expression.to_string();
    let again = Expression::parse(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(again.to_string(), written, "{text:?} is not read as it is written");
    let mut route = Route::new("r");
    route.expression = Some(text.to_owned());
    let router = Router::with_flavor(Flavor::Expressions, [(Arc::new(route), ())]).expect("it was read");
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("1"));
    for path in ["/", "/a/b", "/A%20b/%2F/", "/u/12"] {
        for method in [Method::GET, Method::PUT] {
            let mut head = Head::new(&method, "a.t", path, &headers);
            head.query = Some("q=1&q=x+y");
            head.source = Some(([10, 0, 0, 1], 31).into());
            let found = router.find(&head);
            assert_eq!(found.is_some(), expression.matches(&head), "{written} {head:?}");
            assert_eq!(expression.refused_by(&head).is_none(), found.is_some());
            assert!(found.is_none_or(|found| path.get(..found.matched).is_some()), "{written} {head:?}");
        }
    }
}

/// What stands before a connection through a proxy: the same in one piece and byte by byte, nothing read that is not
/// part of it, and nothing that comes later changes it.
pub fn proxy(data: &[u8]) {
    let mut rest = data;
    let head = at_once(ProxyHead::read(&mut rest));
    let mut slow = ByteByByte(data);
    let again = at_once(ProxyHead::read(&mut slow));
    let kinds = [&head, &again].map(|head| head.as_ref().map_err(std::io::Error::kind).copied());
    assert_eq!(kinds[0], kinds[1]);
    let Ok(head) = head else { return };
    assert_eq!(rest.len(), slow.0.len());
    let taken = &data[..data.len() - rest.len()];
    assert!((15..=4096).contains(&taken.len()) && (taken[0] == b'\r' || taken.ends_with(b"\r\n")));
    let longer = [taken, b"PROXY UNKNOWN\r\n\x01"].concat();
    let mut behind = &longer[..];
    assert_eq!(at_once(ProxyHead::read(&mut behind)).expect("the same head"), head);
    assert_eq!(behind.len(), longer.len() - taken.len());
    let Some(source) = head.source else { return };
    let family = if source.is_ipv4() { 4 } else { 6 };
    let line = format!("PROXY TCP{family} {0} {0} {1} {1}\r\n", source.ip(), source.port());
    assert_eq!(at_once(ProxyHead::read(&mut line.as_bytes())).expect("a head as it is written"), head);
}

/// Gives one byte at a time.
struct ByteByByte<'a>(&'a [u8]);

impl AsyncRead for ByteByByte<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(1).min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// What never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

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

/// Every request, to one plugin that answers it.
fn all_to(plugin: &str) -> Config {
    let mut route = Route::new("all");
    route.paths = Some(vec!["/".into()]);
    Config::default().with(route).with(Plugin::new(plugin, serde_json::json!({})))
}

/// Reads the body and says what it was asked.
struct Mirror(Record);

fn mirror() -> plugin::Registry {
    plugin::Registry::empty().with(Mirror(Record::default()))
}

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

/// Runs `work` on the runtime of this thread.
fn within<F: Future>(work: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
