//! What openid-connect costs a request that it knows, beside a native plugin that does nothing.
//!
//! `cargo bench -p gateway-benches --bench openid`
//!
//! - `native`: a handler without any phase of its own: the baseline.
//! - `session`: the cookie of a session of about 1 KB that came before, which becomes two header fields and the access token.
//! - `cold`: such cookies of 1,000 users in turn: nothing that is kept of the last ones helps.
//! - `bearer`: an access token (JWT) that was good before, which becomes two header fields.
//!
//! `openid CASE` after `--` with `GATEWAY_BENCH_ONCE=N` runs a case N times and nothing else, for a counter of instructions.
//! The set-up is the same each time: what a request takes is the difference of two runs by that of their numbers.
#![allow(clippy::expect_used, reason = "a bench ends with its set-up")]

use std::{
    cell::Cell,
    hint::black_box,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::Criterion;
use gateway_core::{
    Body, ConnectInfo,
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};
use gateway_plugins::{Area, Calling, Engine, Limits, Upstreams, WasmPlugin};
use http::{
    HeaderValue, Request, Response,
    header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

struct Nothing;

impl Handler for Nothing {}

const ISSUER: &str = "https://idp.example";

/// A provider, and the nonce of the login under way.
struct Provider(EcdsaKeyPair, Mutex<String>);

impl Provider {
    fn token(&self, more: &[(&str, Value)]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let mut claims =
            json!({ "iss": ISSUER, "sub": "alice", "name": "Alice", "iat": now, "exp": now + 86_000 });
        more.iter().for_each(|(name, value)| claims[*name] = value.clone());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": "1" })), part(&claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn answer(&self, path: &str) -> Value {
        match path {
            "/.well-known/openid-configuration" => json!({
                "issuer": ISSUER, "authorization_endpoint": "https://idp.example/authorize",
                "token_endpoint": "https://idp.example/token", "jwks_uri": "https://idp.example/jwks",
            }),
            "/jwks" => {
                let point = self.0.public_key().as_ref();
                let number =
                    |from: usize| point.get(from..from + 32).map(|part| URL_SAFE_NO_PAD.encode(part));
                json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "1", "x": number(1), "y": number(33) }] })
            }
            _ => {
                let nonce = self.1.lock().expect("nobody panics").clone();
                json!({
                    "access_token": "an-opaque-access-token-of-a-usual-length", "token_type": "Bearer",
                    "expires_in": 86_000, "id_token": self.token(&[("aud", json!("bench")), ("nonce", json!(nonce))]),
                })
            }
        }
    }
}

impl Upstreams for Provider {
    fn call(&self, _: &str, request: Request<Body>, _: usize) -> Option<Calling> {
        let answer = self.answer(request.uri().path()).to_string();
        Some(Box::pin(async move { Ok(Response::new(Body::from(answer))) }))
    }
}

fn handler(provider: &Arc<Provider>) -> Arc<dyn Handler> {
    let module = include_bytes!("../../gateway-plugins/bundled/openid-connect.wasm");
    let engine = Engine::new().expect("an engine");
    let mut limits = Limits::default();
    // A counter of instructions is slow, and none of a guest's business.
    (limits.entry_cpu, limits.entry_wall) = (Duration::from_secs(60), Duration::from_secs(60));
    (limits.configure_cpu, limits.configure_wall) = (limits.entry_cpu, limits.entry_wall);
    let builder = WasmPlugin::described(module).expect("a plugin").grant(Area::ALL).limits(limits);
    let builder = builder.upstreams(Arc::clone(provider) as _, [ISSUER]);
    let plugin = builder.bytes(&engine, module).expect("it loads");
    let config = json!({
        "issuer": ISSUER, "client_id": ["bench"], "redirect_uri": ["https://app.example/callback"],
        "session_secret": "a secret of 32 characters, or more",
        "upstream_headers_claims": ["sub", "name"], "upstream_headers_names": ["x-user", "x-name"],
    });
    match plugin.configure(&config).expect("it starts") {
        Configured::Handler(handler) => handler,
        _ => unreachable!("a plugin of phases"),
    }
}

fn request(target: &str, fields: &[(http::HeaderName, HeaderValue)]) -> Request<Body> {
    let mut request = Request::get(target).body(Body::empty()).expect("a request");
    for (name, value) in [("host", "app.example"), ("user-agent", "curl/8.5.0"), ("accept", "text/html")] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request.headers_mut().extend(fields.iter().cloned());
    request
}

/// The plugin's own answer to a request; none where the request goes on.
fn begin(
    runtime: &Runtime,
    handler: &dyn Handler,
    connection: &Arc<ConnectInfo>,
    mut request: Request<Body>,
) -> (Option<Response<Body>>, Request<Body>) {
    let mut exchange = Exchange::new(Arc::clone(connection));
    exchange.uri = request.uri().clone();
    let mut flow = handler.on_request(&mut request, &mut exchange);
    loop {
        flow = match flow {
            Flow::Wait(wait) => runtime.block_on(wait)(&mut request, &mut exchange),
            Flow::Reply(mut reply) => {
                assert!(matches!(handler.on_response(&mut reply, &mut exchange), Flow::Continue));
                handler.on_log(&exchange);
                return (Some(*reply), request);
            }
            Flow::Continue => break,
        };
    }
    let mut response = Response::new(Body::empty());
    assert!(matches!(handler.on_response(&mut response, &mut exchange), Flow::Continue));
    handler.on_log(&exchange);
    (None, black_box(request))
}

/// Logs in: the cookie of the session.
fn log_in(
    runtime: &Runtime,
    handler: &dyn Handler,
    connection: &Arc<ConnectInfo>,
    provider: &Provider,
) -> HeaderValue {
    let go = |target: &str, fields: &[_]| {
        begin(runtime, handler, connection, request(target, fields)).0.expect("an answer of the plugin's own")
    };
    let cookie = |answer: &Response<Body>| {
        let set = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let set =
            set.filter(|value| !value.contains("Max-Age=0")).filter_map(|value| value.split(';').next());
        HeaderValue::from_str(&set.collect::<Vec<_>>().join("; ")).expect("cookies")
    };
    let sent = go("/", &[]);
    let location = sent.headers().get(LOCATION).and_then(|value| value.to_str().ok()).expect("a redirect");
    let argument = |name: &str| {
        let mut arguments = location.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        arguments.find(|(own, _)| *own == name).map(|(_, value)| value.to_owned()).expect("an argument")
    };
    *provider.1.lock().expect("nobody panics") = argument("nonce");
    let back = format!("/callback?code=1&state={}", argument("state"));
    let ended = go(&back, &[(COOKIE, cookie(&sent))]);
    assert_eq!(ended.status(), 303, "the login ends");
    cookie(&ended)
}

/// A case: who handles it, and what its requests bring in turn.
type Case = (&'static str, Arc<dyn Handler>, Vec<(http::HeaderName, HeaderValue)>);

/// Users whose sessions nobody remembers: more than the plugin does.
const USERS: usize = 1_000;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let provider = Arc::new(Provider(pair, Mutex::default()));
    let (handler, connection) = (handler(&provider), Arc::new(ConnectInfo::unknown()));
    let session = log_in(&runtime, handler.as_ref(), &connection, &provider);
    let bearer =
        format!("Bearer {}", provider.token(&[("aud", json!("api")), ("scope", json!("read write"))]));
    let bearer = HeaderValue::from_str(&bearer).expect("a token");
    println!("cookie: {} bytes, token: {} bytes", session.len(), bearer.len());
    let others = (0..USERS).map(|_| (COOKIE, log_in(&runtime, handler.as_ref(), &connection, &provider)));
    let cases: [Case; 4] = [
        ("native", Arc::new(Nothing), vec![(COOKIE, session.clone())]),
        ("session", Arc::clone(&handler), vec![(COOKIE, session)]),
        ("cold", Arc::clone(&handler), others.collect()),
        ("bearer", handler, vec![(AUTHORIZATION, bearer)]),
    ];
    let turn = Cell::new(0);
    let run = |(name, handler, fields): &Case| {
        turn.set(turn.get() + 1);
        let field = fields.get(turn.get() % fields.len()).expect("one of them");
        let sent = request("/", std::slice::from_ref(field));
        let (answer, request) = begin(&runtime, handler.as_ref(), &connection, sent);
        assert!(answer.is_none(), "it goes on");
        assert!(*name == "native" || request.headers().contains_key("x-name"), "and is told of");
    };
    let batch = |case: &Case, times: usize| (0..times).for_each(|_| run(case));
    if let Ok(times) = std::env::var("GATEWAY_BENCH_ONCE") {
        let wanted = std::env::args().nth(1).unwrap_or_default();
        let case = cases.iter().find(|(name, ..)| *name == wanted).expect("a case");
        return batch(case, times.parse().expect("a number"));
    }
    let mut criterion = Criterion::default().configure_from_args();
    for case in &cases {
        criterion.bench_function(case.0, |bench| bench.iter(|| run(case)));
    }
    criterion.final_summary();
    let least = |case: &Case| {
        let once = || {
            let start = Instant::now();
            batch(case, 1_000);
            start.elapsed().as_secs_f64() * 1e6
        };
        (0..50).map(|_| once()).fold(f64::INFINITY, f64::min)
    };
    let [native, session, cold, bearer] = cases.each_ref().map(least);
    println!("a session that is known:  {:8.0} ns", session - native);
    println!("one that is not:          {:8.0} ns", cold - native);
    println!("a token that is known:    {:8.0} ns", bearer - native);
}
