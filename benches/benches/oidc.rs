//! What `openid-connect` costs a request that needs nobody else, beside the same route without it.
//!
//! `cargo bench -p gateway-benches --bench oidc`
//!
//! - `without`: a route that `request-termination` answers: the baseline.
//! - `session`: the same with a session's cookie that was there before.
//! - `bearer`: the same with an access token that was good before.
//!
//! The provider is a socket of this process; it is asked for one login and for its keys, before anything is timed.
#![allow(clippy::expect_used, reason = "a bench ends with its set-up")]

use std::{
    hint::black_box,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::Criterion;
use gateway_core::{Body, Gateway, config::Checked, plugins};
use gateway_plugins::Plugins;
use http::{Request, Response, header};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

const HOST: &str = "app.example";

/// A provider that logs in whoever comes.
struct Provider {
    address: SocketAddr,
    key: EcdsaKeyPair,
    /// Of the last login.
    nonce: Mutex<String>,
}

impl Provider {
    fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.expect("a key");
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).expect("a key");
        let provider = Arc::new(Self { address, key, nonce: Mutex::default() });
        let own = Arc::clone(&provider);
        // It ends with the process.
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| own.answer(stream)));
        provider
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = [0; 8192];
        let read = stream.read(&mut head).unwrap_or_default();
        let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let body = match path {
            "/jwks" => self.keys(),
            "/token" => json!({
                "token_type": "Bearer", "access_token": "opaque", "expires_in": 3600,
                "id_token": self.token(json!({ "nonce": *self.nonce.lock().expect("a nonce") })),
            }),
            _ => self.discovery(),
        };
        let body = body.to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }

    fn discovery(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn keys(&self) -> Value {
        // An uncompressed point: 04, x, y.
        let point = self.key.public_key().as_ref();
        let half = |range| URL_SAFE_NO_PAD.encode(point.get(range).expect("a point"));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "x": half(1..33), "y": half(33..65) }] })
    }

    /// A token for the client, with `more` claims.
    fn token(&self, more: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let mut claims = json!({
            "iss": self.issuer(), "aud": "app", "sub": "alice", "email": "alice@example.com", "iat": now,
            "exp": now + 36_000, "scope": "openid email",
        });
        claims.as_object_mut().expect("claims").extend(more.as_object().cloned().unwrap_or_default());
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed =
            format!("{}.{}", part(json!({ "alg": "ES256", "kid": "k", "typ": "JWT" })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn gateway(provider: &Provider) -> Gateway {
    let answered =
        json!({ "name": "request-termination", "config": { "status_code": 200, "message": "ok" } });
    let openid = json!({ "name": "openid-connect", "config": {
        "issuer": provider.issuer(), "client_id": ["app"], "client_secret": ["a secret of the client"],
        "redirect_uri": [format!("http://{HOST}/oidc/callback")], "scopes": ["openid", "email"],
        "session_secret": "0123456789abcdef0123456789abcdef", "session_cookie_secure": false,
        "upstream_headers_claims": ["sub", "email"], "upstream_headers_names": ["x-user", "x-email"],
        "authorization_endpoint": format!("{}/authorize", provider.issuer()),
    } });
    let file = json!({ "_format_version": "3.0", "routes": [
        { "name": "without", "paths": ["/without"], "plugins": [answered] },
        { "name": "oidc", "paths": ["/oidc"], "plugins": [answered, openid] },
    ] });
    let shared = Plugins::new().expect("an engine");
    let registry = shared.bundled(plugins::bundled()).expect("plugins");
    let checked = Checked::parse(&file.to_string(), &registry).expect("a configuration");
    let gateway = Gateway::builder().plugins(registry).checked(checked).build().expect("a gateway");
    shared.upstreams().connect(&gateway);
    gateway
}

async fn send(gateway: &Gateway, path: &str, field: Option<(&str, &str)>) -> Response<Body> {
    let request = Request::get(path).header(header::HOST, HOST).header(header::ACCEPT, "text/html");
    let request = field.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    gateway.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

/// The cookies that an answer sets, as a request has them.
fn cookies(response: &Response<Body>) -> String {
    let set = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs = set.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
}

/// The cookie of a session.
async fn log_in(gateway: &Gateway, provider: &Provider) -> String {
    let sent = send(gateway, "/oidc/page", None).await;
    let location = sent.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.unwrap_or_else(|| panic!("no way to the provider: {}", sent.status())).to_owned();
    let argument = |name: &str| {
        let mut pairs = location.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value.to_owned()).expect("an argument")
    };
    *provider.nonce.lock().expect("a nonce") = argument("nonce");
    let back = format!("/oidc/callback?code=c&state={}", argument("state"));
    let back = send(gateway, &back, Some(("cookie", &cookies(&sent)))).await;
    let cookie = cookies(&back);
    assert!(back.status().is_redirection() && !cookie.is_empty(), "{back:?}");
    cookie
}

fn once(runtime: &Runtime, gateway: &Gateway, path: &str, field: Option<(&str, &str)>) {
    let response = runtime.block_on(send(gateway, path, field));
    assert_eq!(black_box(response).status(), 200);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let provider = Provider::start();
    let gateway = gateway(&provider);
    let cookie = runtime.block_on(log_in(&gateway, &provider));
    let bearer = format!("Bearer {}", provider.token(json!({})));
    println!("the cookie has {} bytes, the token {}", cookie.len(), bearer.len());
    let mut group = criterion.benchmark_group("oidc");
    let cases = [
        ("without", "/without", None),
        ("session", "/oidc/page", Some(("cookie", cookie.as_str()))),
        ("bearer", "/oidc/page", Some(("authorization", bearer.as_str()))),
    ];
    for (name, path, field) in cases {
        group.bench_function(name, |bencher| bencher.iter(|| once(&runtime, &gateway, path, field)));
    }
    group.finish();
    criterion.final_summary();
}
