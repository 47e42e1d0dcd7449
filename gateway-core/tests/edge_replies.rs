//! What clients get to see: the gateway's own answers and the fields that it adds to an upstream's, through the
//! whole gateway and on the wire (`docs/compat/proxy.md`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use gateway_core::{
    Body,
    config::{Config, Plugin, Protocol, Route, Service, Target, Upstream as UpstreamEntity},
    plugin::{Exchange, Flow, Handler},
};
use http::{Request, Response};
use wire::{Answer, Client, Custom, Edge, Setup, Upstream, answer, everything_to};

/// Sends a request with these fields, each with its line end, on a connection of its own.
async fn ask(edge: &Edge, method: &str, path: &str, fields: &str) -> Answer {
    let mut client = edge.client().await;
    client.send(format!("{method} {path} HTTP/1.1\r\nhost: a.example:8000\r\n{fields}\r\n")).await;
    client.answer_to(method).await.unwrap()
}

fn route(name: &str, path: &str) -> Route {
    let mut route = Route::new(name);
    route.paths = Some(vec![path.into()]);
    route
}

/// The id in a body is the one in the head; its digits make way for `RID`.
fn without_id(answer: &Answer) -> String {
    let id = answer.field("x-kong-request-id").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    answer.body.replace(id, "RID")
}

/// The fields of an answer that the gateway makes by itself (compat E19).
fn assert_own(answer: &Answer) {
    assert!(answer.field("x-kong-response-latency").is_some_and(|latency| latency.parse::<u64>().is_ok()));
    assert!(
        answer.field("server").is_some_and(|server| server.starts_with("gateway/")),
        "D27: {}",
        answer.head
    );
    for absent in ["x-kong-upstream-latency", "x-kong-proxy-latency", "via"] {
        assert_eq!(answer.field(absent), None, "{absent} in {}", answer.head);
    }
}

/// The fields of an answer to which an upstream led, its own or an error (compat E19).
fn assert_upstreams(answer: &Answer) {
    for name in ["x-kong-upstream-latency", "x-kong-proxy-latency"] {
        assert!(
            answer.field(name).is_some_and(|latency| latency.parse::<u64>().is_ok()),
            "{name}: {}",
            answer.head
        );
    }
    assert!(
        answer.field("via").is_some_and(|via| via.ends_with(concat!("gateway/", env!("CARGO_PKG_VERSION"))))
    );
    assert_eq!(answer.field("x-kong-response-latency"), None, "{}", answer.head);
}

const NO_ROUTE: &str =
    "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"RID\"\n}";

#[tokio::test]
async fn p1_no_route() {
    let edge = Setup::new(Config::default()).start();
    let none = ask(&edge, "GET", "/", "").await;
    assert_eq!((none.status, without_id(&none).as_str()), (404, NO_ROUTE));
    assert_eq!(none.field("content-type"), Some("application/json; charset=utf-8"));
    assert_own(&none);
    let head = ask(&edge, "HEAD", "/", "").await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    assert_eq!(head.field("content-length"), none.field("content-length"));
    assert_eq!(head.field("content-type"), none.field("content-type"));
}

#[tokio::test]
async fn e17_and_e18_the_form_is_the_clients_choice() {
    let edge = Setup::new(Config::default()).start();
    let text = "no Route matched with those values";
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{text}</message>\n  \
         <requestid>RID</requestid>\n</error>\n"
    );
    for (accept, content_type, body) in [
        ("*/*", "application/json; charset=utf-8", NO_ROUTE.to_owned()),
        ("image/png", "application/json; charset=utf-8", NO_ROUTE.to_owned()),
        ("text/plain", "text/plain; charset=utf-8", format!("{text}\nrequest_id: RID\n")),
        ("application/xml", "application/xml; charset=utf-8", xml),
    ] {
        let answer = ask(&edge, "GET", "/", &format!("accept: {accept}\r\n")).await;
        assert_eq!(
            (answer.field("content-type"), without_id(&answer)),
            (Some(content_type), body),
            "{accept}"
        );
    }
    let html = ask(&edge, "GET", "/", "accept: text/html\r\n").await;
    assert!(
        without_id(&html).contains(&format!("<p>{text}.</p>")) && html.body.starts_with("<!doctype html>")
    );
    // Without Accept: JSON for Kong's own exits, plain text for those born in nginx.
    let bad = ask(&edge, "GET", "/%zz", "").await;
    assert_eq!((bad.status, without_id(&bad).as_str()), (400, "Bad request\nrequest_id: RID\n"));
    assert_eq!(bad.field("connection"), Some("close"), "P9");
    assert_own(&bad);
    let bad = ask(&edge, "GET", "/%zz", "accept: application/json\r\n").await;
    assert_eq!(without_id(&bad), "{\n  \"message\":\"Bad request\",\n  \"request_id\":\"RID\"\n}");
}

/// Answers by itself.
struct Terminate;

impl Handler for Terminate {
    fn on_request(&self, _: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        Flow::reply(Response::new(Body::from("by the plugin")))
    }
}

#[tokio::test]
async fn e9_what_a_client_gets_wrong_has_kongs_words() {
    let upstream = Upstream::echo().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let long = "x".repeat(9_000);
    for (path, fields, status, text) in [
        ("/%00", "", 400, "Bad request"),
        (&*format!("/{long}"), "", 414, "URI too long"),
        ("/", "expect: 200-ok\r\n", 417, "Expectation failed"),
    ] {
        let answer = ask(&edge, "GET", path, &format!("accept: application/json\r\n{fields}")).await;
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        assert_eq!((answer.status, body["message"].as_str()), (status, Some(text)), "{}", answer.head);
    }
}

#[tokio::test]
async fn p2_a_route_without_a_service() {
    let (bare, answered) = (route("bare", "/bare"), route("answered", "/answered"));
    let plugin = Plugin::new("terminate", serde_json::json!({})).on_route(&answered);
    let mut setup = Setup::new(Config::default().with(bare).with(answered).with(plugin));
    setup.registry = setup.registry.with(Custom::new("terminate", 2, |_| Ok(Terminate)));
    let edge = setup.start();
    let none = ask(&edge, "GET", "/bare", "").await;
    assert_eq!(none.status, 503);
    assert!(none.body.contains("no Service found with those values"), "{}", none.body);
    assert_own(&none);
    let answer = ask(&edge, "GET", "/answered", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "by the plugin"));
    assert_own(&answer);
}

#[tokio::test]
async fn p3_no_target_or_none_with_weight() {
    let empty = UpstreamEntity::new("empty");
    let weightless = UpstreamEntity::new("weightless");
    let mut target = Target::new(&weightless, "127.0.0.1:9");
    target.weight = 0;
    let mut config = Config::default().with(target);
    for upstream in [empty, weightless] {
        let service = Service::new(&upstream.name, &upstream.name);
        let mut route = Route::new(&upstream.name).to(&service);
        route.paths = Some(vec![format!("/{}", upstream.name)]);
        config = config.with(service).with(route).with(upstream);
    }
    let edge = Setup::new(config).start();
    for path in ["/empty", "/weightless"] {
        let answer = ask(&edge, "GET", path, "").await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(
            answer.body.contains("failure to get a peer from the ring-balancer"),
            "{path}: {}",
            answer.body
        );
        assert_eq!(answer.field("content-type"), Some("application/json; charset=utf-8"), "E18");
    }
}

#[tokio::test]
async fn p5_an_upstream_that_refuses_or_closes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut refusing = Service::new("refusing", "127.0.0.1");
    refusing.port = listener.local_addr().unwrap().port();
    drop(listener);
    let upstream = Upstream::start(|_| b"HTTP/1.1 abc\r\n\r\n".to_vec()).await;
    let garbled = upstream.service("garbled");
    let to_refusing = route("refusing", "/refusing").to(&refusing);
    let to_garbled = route("garbled", "/garbled").to(&garbled);
    let config = Config::default().with(refusing).with(garbled).with(to_refusing).with(to_garbled);
    let edge = Setup::new(config).start();
    for path in ["/refusing", "/garbled"] {
        let answer = ask(&edge, "GET", path, "").await;
        assert_eq!(answer.status, 502, "{path}");
        let text = "An invalid response was received from the upstream server\nrequest_id: RID\n";
        assert_eq!(without_id(&answer), text, "{path}");
        assert_upstreams(&answer);
    }
}

#[tokio::test]
async fn p6_an_upstream_that_does_not_answer() {
    let upstream = Upstream::start(|_| Vec::new()).await;
    let mut service = upstream.service("silent");
    service.read_timeout = 200;
    service.retries = 0;
    let to = route("silent", "/").to(&service);
    let edge = Setup::new(Config::default().with(service).with(to)).start();
    let answer = ask(&edge, "GET", "/", "").await;
    assert_eq!(
        (answer.status, without_id(&answer).as_str()),
        (504, "The upstream server is timing out\nrequest_id: RID\n")
    );
    assert_upstreams(&answer);
}

#[tokio::test]
async fn p11_methods_that_are_not_taken() {
    let upstream = Upstream::echo().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let mut client = edge.client().await;
    for line in ["TRACE /x", "CONNECT a.example:8000"] {
        client.send(format!("{line} HTTP/1.1\r\nhost: a.example:8000\r\n\r\n")).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(
            (answer.status, without_id(&answer).as_str()),
            (405, "Method not allowed\nrequest_id: RID\n")
        );
        assert!(answer.field("allow").is_some_and(|allow| allow.contains("GET")), "RFC 9110 15.5.6");
    }
    assert_eq!(ask(&edge, "FOO", "/x", "").await.status, 200);
}

#[tokio::test]
async fn p13_http_1_0() {
    let upstream = Upstream::echo().await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let mut client = edge.client().await;
    client.send("GET /x HTTP/1.0\r\nhost: a.example\r\n\r\n").await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "/x"));
    assert_eq!(client.closes().await.unwrap(), b"");
    let seen = upstream.take();
    assert!(seen[0].all("via")[0].starts_with("1 gateway/"), "{:?}", seen[0].all("via"));
    assert_eq!(seen[0].line(), "GET /x HTTP/1.1");
}

#[tokio::test]
async fn p14_and_d3_absolute_form() {
    let upstream = Upstream::echo().await;
    let mut config = everything_to(&upstream);
    let service = config.services.values().next().unwrap().clone();
    let mut named = Route::new("named").to(&service);
    named.hosts = Some(vec!["a.example".into()]);
    config = config.with(named);
    let edge = Setup::new(config).start();
    let mut client = edge.client().await;
    client.send("GET http://a.example/x HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().body, "/x");
    assert_eq!(ask(&edge, "GET", "http://b.example/x", "").await.status, 400);
}

#[tokio::test]
async fn p15_https_only_in_clear() {
    let upstream = Upstream::echo().await;
    let service = upstream.service("secret");
    let mut config = Config::default();
    for status in [426, 301, 302, 307, 308] {
        let mut only = route(&format!("r{status}"), &format!("/{status}")).to(&service);
        only.protocols = vec![Protocol::Https];
        only.https_redirect_status_code = status;
        config = config.with(only);
    }
    let (certificates, connector) = wire::tls(&["http/1.1"]);
    let mut setup = Setup::new(config.with(service));
    setup.certificates = Some(certificates);
    let edge = setup.start();
    let upgrade = ask(&edge, "GET", "/426", "").await;
    assert_eq!(upgrade.status, 426);
    assert!(upgrade.body.contains("Please use HTTPS protocol"), "{}", upgrade.body);
    assert_eq!(upgrade.field("upgrade"), Some("TLS/1.2, HTTP/1.1"));
    assert!(upgrade.field("connection").is_some_and(|options| options.eq_ignore_ascii_case("upgrade")));
    assert_own(&upgrade);
    for status in [301, 302, 307, 308] {
        let redirect = ask(&edge, "GET", &format!("/{status}/a%20b//c?d=/../e"), "").await;
        assert_eq!(redirect.status, status);
        let location = format!("https://a.example/{status}/a%20b//c?d=/../e");
        assert_eq!(
            redirect.field("location"),
            Some(location.as_str()),
            "the host without port, the target as received"
        );
    }
    assert_eq!(upstream.count(), 0);
    let stream = tokio::net::TcpStream::connect(edge.tls.unwrap()).await.unwrap();
    let mut client = Client::new(connector.connect("localhost".try_into().unwrap(), stream).await.unwrap());
    assert_eq!(client.get("/426/x").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_service_that_is_switched_off_has_no_routes() {
    let upstream = Upstream::echo().await;
    let mut service = upstream.service("off");
    service.enabled = false;
    let to = route("off", "/").to(&service);
    let edge = Setup::new(Config::default().with(service.clone()).with(to)).start();
    assert_eq!(ask(&edge, "GET", "/", "").await.status, 404);
    service.enabled = true;
    let config = edge.gateway.snapshot().config().clone().with(service);
    edge.gateway.reload(&config).unwrap();
    assert_eq!(ask(&edge, "GET", "/", "").await.status, 200);
}

#[tokio::test]
async fn p31_what_an_upstreams_answer_keeps_and_gets() {
    let upstream = Upstream::start(|seen| match seen.target() {
        "/plain" => answer("200 OK", "content-type: text/plain\r\nserver: up/1\r\nvia: 1.1 up\r\n", "x"),
        "/json" => answer("200 OK", "content-type: application/json\r\n", "{}"),
        "/named" => answer("200 OK", "content-type: text/plain; charset=latin1\r\n", "x"),
        "/hop" => {
            let fields = "keep-alive: 5\r\nupgrade: h2c\r\ntrailer: x\r\nconnection: x-gone, keep-alive\r\nx-gone: 1\r\n";
            let more = "proxy-authenticate: Basic\r\nx-kong-upstream-latency: 999999\r\nx-kept: 1\r\n";
            answer("200 OK", &format!("{fields}{more}"), "x")
        }
        "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\netag: \"e\"\r\n\r\n".to_vec(),
        "/head" => b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec(),
        "/odd" => answer("299 What <b>ever</b>", "", "x"),
        _ => answer("200 OK", "", "x"),
    })
    .await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let plain = ask(&edge, "GET", "/plain", "").await;
    assert_eq!(plain.field("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(plain.field("server"), Some("up/1"));
    assert!(plain.field("via").is_some_and(|via| via.starts_with("1.1 up, 1.1 gateway/")), "{}", plain.head);
    assert_upstreams(&plain);
    assert_eq!(ask(&edge, "GET", "/json", "").await.field("content-type"), Some("application/json"));
    assert_eq!(
        ask(&edge, "GET", "/named", "").await.field("content-type"),
        Some("text/plain; charset=latin1")
    );
    let hop = ask(&edge, "GET", "/hop", "").await;
    for gone in ["keep-alive", "upgrade", "trailer", "x-gone", "connection"] {
        assert_eq!(hop.field(gone), None, "{}", hop.head);
    }
    assert_eq!((hop.field("proxy-authenticate"), hop.field("x-kept")), (Some("Basic"), Some("1")));
    assert_ne!(hop.field("x-kong-upstream-latency"), Some("999999"));
    assert!(hop.field("server").is_some_and(|server| server.starts_with("gateway/")));
    let mut client = edge.client().await;
    for (path, status) in [("/204", 204), ("/304", 304)] {
        assert_eq!(client.get(path).await.unwrap().status, status, "the connection goes on");
    }
    let unchanged = ask(&edge, "GET", "/304", "").await;
    assert_eq!((unchanged.field("etag"), unchanged.field("content-length")), (Some("\"e\""), Some("7")));
    assert_eq!(ask(&edge, "HEAD", "/head", "").await.field("content-length"), Some("7"));
    let odd = ask(&edge, "GET", "/odd", "").await;
    assert!(odd.status == 299 && !odd.head.contains("ever"), "U1: {}", odd.head);
    assert!(plain.field("date").is_some());
}

#[tokio::test]
async fn p52_how_it_was_routed_is_told_where_that_is_switched_on() {
    let upstream = Upstream::echo().await;
    let names = ["kong-route-id", "kong-route-name", "kong-service-id", "kong-service-name"];
    for on in [false, true] {
        let mut setup = Setup::new(everything_to(&upstream));
        setup.node.debug_header = on;
        let edge = setup.start();
        let asked = ask(&edge, "GET", "/x", "kong-debug: 1\r\n").await;
        let told: Vec<_> = names.iter().filter_map(|name| asked.field(name)).collect();
        assert_eq!(told.len(), if on { 4 } else { 0 }, "{}", asked.head);
        if on {
            assert_eq!((told[1], told[3]), ("all", "all"));
        }
        for fields in ["", "kong-debug: 0\r\n"] {
            let quiet = ask(&edge, "GET", "/x", fields).await;
            assert!(names.iter().all(|name| quiet.field(name).is_none()));
        }
    }
}

#[tokio::test]
async fn the_reason_is_shown_only_where_that_is_switched_on() {
    for on in [false, true] {
        let mut setup = Setup::new(Config::default());
        setup.node.reason_header = on;
        let answer = ask(&setup.start(), "GET", "/", "").await;
        assert_eq!(answer.field("x-gateway-reason"), on.then_some("no_route"));
    }
}

#[tokio::test]
async fn d27_neutral_names() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream));
    setup.node.branding = gateway_core::reply::Branding::neutral();
    let edge = setup.start();
    let answer = ask(&edge, "GET", "/x", "").await;
    assert!(!answer.head.to_ascii_lowercase().contains("kong"), "{}", answer.head);
    assert!(
        answer.field("x-gateway-request-id").is_some()
            && answer.field("x-gateway-upstream-latency").is_some()
    );
    assert!(!upstream.take()[0].head.to_ascii_lowercase().contains("kong"));
}
