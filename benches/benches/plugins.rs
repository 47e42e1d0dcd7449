//! What a WASM plugin costs a request, beside a native one that does nothing.
//!
//! `cargo bench -p gateway-benches --bench plugins`
//!
//! - `native`: a handler without any phase of its own, called in its three phases: the baseline.
//! - `request`: a guest that has a request phase and does nothing in it: one context, one entry.
//! - `entry`, `sdk-reads`: a guest with a mailbox, as those of the SDK: one entry and no callback for its context; with 100
//!   header reads, whose values need no memory of the guest's.
//! - `bare`: the guest of `request` with three more callbacks that do nothing, for the beginning and the end of its context:
//!   three entries more, and nothing else.
//! - `alone`: the guest of `request` with an instance for each request. `bundled`, `bundled-alone`: bot-detection, with one for all
//!   and with one for each request, which takes its configuration anew.
//! - `native-reads`, `native-calls`: 100 of the same by a native handler: the value of a field looked up and copied, a function
//!   called by its name that does nothing.
//! - `reads`, `calls`: the same guest with 100 header reads, with 100 foreign calls, in its one entry.
//! - `authenticates`, `verifies`, `sets`: the same guest with 100 calls of a function of the gateway's own: a known key
//!   made the request's consumer, a token that was good before, two fields for the answer.
//! - `phases`: a guest that reads two fields and writes two on the way up, writes three on the way down, and logs.
//! - `sdk`: a guest built with the public Rust SDK that is told to do nothing: all its callbacks are entered.
//!
//! The last lines give what follows from them, each beside the native one: an entry (at most 60 ns), a header read (100 ns by the
//! standard call, 40 ns by the SDK's), a foreign call (150 ns).
//!
//! `plugins CASE` after `--` with `GATEWAY_BENCH_ONCE` set runs a case 1,000 times and nothing else, for a counter of
//! instructions: the difference of two cases is what the calls cost.
#![allow(clippy::expect_used, reason = "a bench ends with its set-up")]

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Instant};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::Criterion;
use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::Checked,
    identity::Identities,
    plugin::{Configured, Exchange, Flow, Handler, Plugin, Registry},
};
use gateway_plugins::{Area, Builder, Engine, ForeignFunction, Isolation, Returned, Status, WasmPlugin};
use http::{HeaderName, HeaderValue, Request, Response};
use plugin_contract::{
    Call,
    consumer::{Authenticate, Kind, Who},
    crypto::Scheme,
    jwt::{Algorithm, Demand, Keys, Verifier, Verify},
    response::Headers,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

struct Nothing;

impl Handler for Nothing {}

/// Looks a field up and copies it.
struct Reads;

impl Handler for Reads {
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        let mut buffer = [0; 64];
        for _ in 0..TIMES {
            let value =
                request.headers().get(black_box("user-agent")).map_or(&b""[..], HeaderValue::as_bytes);
            let length = value.len().min(buffer.len());
            buffer[..length].copy_from_slice(&value[..length]);
            black_box(&mut buffer);
        }
        Flow::Continue
    }
}

/// Calls a function by its name.
struct Calls(HashMap<&'static [u8], Answers>);

/// A function that writes its answer.
type Answers = Box<dyn Fn(&mut Vec<u8>) + Send + Sync>;

impl Calls {
    fn new() -> Self {
        let echo: Answers = Box::new(|answer| answer.extend(b"12345678"));
        Self(HashMap::from([(&b"echo"[..], echo)]))
    }
}

impl Handler for Calls {
    fn on_request(&self, _: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        let mut answer = Vec::new();
        for _ in 0..TIMES {
            answer.clear();
            if let Some(function) = self.0.get(black_box(&b"echo"[..])) {
                function(&mut answer);
            }
            black_box(&mut answer);
        }
        Flow::Continue
    }
}

struct Echo;

impl ForeignFunction for Echo {
    fn call(&self, _: &[u8], call: &mut gateway_plugins::Call<'_>) -> Result<Returned, Status> {
        call.answer.extend(b"12345678");
        Ok(Returned::Written)
    }
}

/// The reads and calls of one entry.
const TIMES: u32 = 100;
/// Of what takes long: a guest has 4 ms, less what ran before the first look.
const FEW: u32 = 10;

const BASE: &str = r#"
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "user-agent")
    (data (i32.const 32) "x-added")
    (data (i32.const 48) "echo")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func $read (drop (call $get (i32.const 0) (i32.const 16) (i32.const 10) (i32.const 0) (i32.const 4))))
    (func $call (drop (call $foreign (i32.const 48) (i32.const 4) (i32.const 16) (i32.const 8) (i32.const 0) (i32.const 4))))
    (func $write (param i32)
        (drop (call $set (local.get 0) (i32.const 32) (i32.const 7) (i32.const 16) (i32.const 10))))
    (func $nothing)
"#;

/// A guest that does one thing, so many times, in its request phase.
fn repeat(what: &str, times: u32) -> String {
    format!(
        r#"(module {BASE} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32)
            (local.set 3 (i32.const {times}))
            (block (loop (br_if 1 (i32.eqz (local.get 3))) (call ${what})
                (local.set 3 (i32.sub (local.get 3) (i32.const 1))) (br 0)))
            (i32.const 0)))"#
    )
}

/// The same with callbacks for the beginning and the end of a context.
fn announced(what: &str) -> String {
    let ends = r#"(func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
        (func (export "proxy_on_delete") (param i32))"#;
    let text = repeat(what, 1);
    text.strip_suffix(')').map(|text| format!("{text} {ends})")).unwrap_or(text)
}

/// The same in a guest with a mailbox.
fn posted(what: &str, times: u32) -> String {
    let mailbox = format!("(global (export \"{}\") i32 (i32.const 16384))", plugin_contract::mailbox::NAME);
    let text = repeat(what, times);
    text.strip_suffix(')').map(|text| format!("{text} {mailbox})")).unwrap_or(text)
}

fn phases() -> String {
    format!(
        r#"(module {BASE}
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (call $read) (call $read) (call $write (i32.const 0)) (call $write (i32.const 0)) (i32.const 0))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (call $write (i32.const 2)) (call $write (i32.const 2)) (call $write (i32.const 2)) (i32.const 0))
            (func (export "proxy_on_log") (param i32)))"#
    )
}

/// A guest that calls a function of the gateway with the same bytes, so many times, in its request phase. It makes a
/// verifier first.
fn asks<C: Call>(call: &C, times: u32) -> String {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let arguments = plugin_contract::encode(call, Vec::new()).expect("arguments");
    let verifier = plugin_contract::encode(&verifier(), Vec::new()).expect("arguments");
    let (name, size, made, made_size) = (C::NAME, arguments.len(), Verifier::NAME, verifier.len());
    format!(
        r#"(module {BASE}
            (data (i32.const 2048) "{name}") (data (i32.const 2112) "{made}")
            (data (i32.const 4096) "{}") (data (i32.const 8192) "{}")
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (i32.eqz (call $foreign (i32.const 2112) (i32.const {}) (i32.const 8192) (i32.const {made_size})
                    (i32.const 0) (i32.const 4))))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32)
                (local.set 3 (i32.const {times}))
                (block (loop (br_if 1 (i32.eqz (local.get 3)))
                    (if (call $foreign (i32.const 2048) (i32.const {}) (i32.const 4096) (i32.const {size})
                        (i32.const 0) (i32.const 4)) (then (unreachable)))
                    (local.set 3 (i32.sub (local.get 3) (i32.const 1))) (br 0)))
                (i32.const 0)))"#,
        text(&arguments),
        text(&verifier),
        made.len(),
        name.len(),
    )
}

/// The public key of RFC 7515, appendix A.2, and a token that it verifies (RS256).
const KEYS: &str = r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#;
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// The same with another signature: nobody remembers it, so that each look at it is the first one.
fn bent() -> String {
    let (signed, signature) = TOKEN.rsplit_once('.').expect("a token");
    format!("{signed}.d{}", signature.get(1..).expect("a signature"))
}

fn verifier() -> Verifier<'static> {
    Verifier {
        algorithms: vec![Algorithm::Signed(Scheme::Rs256)],
        keys: Keys::Set(KEYS),
        expires: Demand::Ignored,
        begins: Demand::Ignored,
        leeway: 0,
        longest: 0,
        issuers: Vec::new(),
        audiences: Vec::new(),
        types: Vec::new(),
    }
}

/// 1,000 consumers with a key each.
fn identities() -> Arc<Identities> {
    let consumer = |number| {
        let keys = [json!({ "key": format!("key-{number}-of-a-usual-length") })];
        json!({ "username": format!("user-{number}"), "keyauth_credentials": keys })
    };
    let consumers: Vec<_> = (0..1_000).map(consumer).collect();
    let file = json!({ "_format_version": "3.0", "consumers": consumers }).to_string();
    let checked = Checked::parse(&file, &Registry::empty()).expect("consumers");
    let gateway = Gateway::builder().checked(checked).build().expect("a gateway");
    Arc::clone(gateway.snapshot().identities())
}

fn handler(engine: &Engine, module: &[u8]) -> Arc<dyn Handler> {
    let builder = WasmPlugin::builder("bench").function("echo", Echo).grant(Area::ALL);
    configured(builder, engine, module, &json!({}))
}

/// The same with an instance for each request.
fn alone(engine: &Engine, module: &[u8]) -> Arc<dyn Handler> {
    let builder = WasmPlugin::builder("bench").isolation(Isolation::Request);
    configured(builder, engine, module, &json!({}))
}

fn bundled(engine: &Engine, isolation: Isolation) -> Arc<dyn Handler> {
    let module = include_bytes!("../../gateway-plugins/bundled/bot-detection.wasm");
    let builder = WasmPlugin::described(module).expect("a manifest").grant(Area::ALL);
    configured(builder.isolation(isolation), engine, module, &json!({ "allow": [], "deny": [] }))
}

fn configured(builder: Builder, engine: &Engine, module: &[u8], config: &Value) -> Arc<dyn Handler> {
    let plugin = builder.bytes(engine, module).expect("it loads");
    match plugin.configure(config).expect("it starts") {
        Configured::Handler(handler) => handler,
        _ => unreachable!("a plugin of phases"),
    }
}

fn request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    for (name, value) in
        [("host", "a.example"), ("user-agent", "curl/8.5.0"), ("accept", "*/*"), ("x-key", "secret")]
    {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

/// One request through all phases.
fn run(
    runtime: &Runtime,
    handler: &dyn Handler,
    (connection, identities): &(Arc<ConnectInfo>, Arc<Identities>),
) {
    let (mut request, mut exchange) = (request(), Exchange::new(Arc::clone(connection)));
    exchange.identities = Some(Arc::clone(identities));
    let mut flow = handler.on_request(&mut request, &mut exchange);
    while let Flow::Wait(wait) = flow {
        flow = runtime.block_on(wait)(&mut request, &mut exchange);
    }
    assert!(matches!(flow, Flow::Continue));
    let mut response = Response::new(Body::empty());
    assert!(matches!(handler.on_response(&mut response, &mut exchange), Flow::Continue));
    handler.on_log(&exchange);
    black_box((request, response));
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let engine = Engine::new().expect("an engine");
    let wat = |text: String| wat::parse_str(text).expect("a module");
    let sdk = include_bytes!("../../gateway-plugins/tests/guests/built/stranger.wasm");
    let who = Who::Key { kind: Kind::Key, key: "key-500-of-a-usual-length" };
    let set = [("x-ratelimit-limit-minute", "100"), ("x-ratelimit-remaining-minute", "99")];
    let bent = bent();
    let cases: [(&str, Arc<dyn Handler>); 18] = [
        ("native", Arc::new(Nothing)),
        ("native-reads", Arc::new(Reads)),
        ("native-calls", Arc::new(Calls::new())),
        ("entry", handler(&engine, &wat(posted("nothing", 1)))),
        ("sdk-reads", handler(&engine, &wat(posted("read", TIMES)))),
        ("request", handler(&engine, &wat(repeat("nothing", 1)))),
        ("bare", handler(&engine, &wat(announced("nothing")))),
        ("alone", alone(&engine, &wat(repeat("nothing", 1)))),
        ("bundled", bundled(&engine, Isolation::Shared)),
        ("bundled-alone", bundled(&engine, Isolation::Request)),
        ("reads", handler(&engine, &wat(repeat("read", TIMES)))),
        ("calls", handler(&engine, &wat(repeat("call", TIMES)))),
        ("authenticates", handler(&engine, &wat(asks(&Authenticate { who }, TIMES)))),
        ("verifies", handler(&engine, &wat(asks(&Verify { verifier: 0, token: TOKEN }, TIMES)))),
        ("verifies-new", handler(&engine, &wat(asks(&Verify { verifier: 0, token: &bent }, FEW)))),
        ("sets", handler(&engine, &wat(asks(&Headers { set: set.to_vec() }, TIMES)))),
        ("phases", handler(&engine, &wat(phases()))),
        ("sdk", handler(&engine, sdk)),
    ];
    let connection = (Arc::new(ConnectInfo::unknown()), identities());
    if std::env::var_os("GATEWAY_BENCH_ONCE").is_some() {
        let wanted = std::env::args().nth(1).unwrap_or_default();
        let (_, handler) = cases.iter().find(|(name, _)| *name == wanted).expect("a case");
        (0..1_000).for_each(|_| run(&runtime, handler.as_ref(), &connection));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (name, handler) in &cases {
        criterion.bench_function(name, |bench| bench.iter(|| run(&runtime, handler.as_ref(), &connection)));
    }
    criterion.final_summary();
    let least = |name: &str| {
        let (_, handler) = cases.iter().find(|(case, _)| *case == name).expect("a case");
        let batch = || {
            let start = Instant::now();
            (0..1_000).for_each(|_| run(&runtime, handler.as_ref(), &connection));
            start.elapsed().as_secs_f64() * 1e6
        };
        (0..50).map(|_| batch()).fold(f64::INFINITY, f64::min)
    };
    let (native, request) = (least("native"), least("request"));
    println!("one request, native:      {native:8.0} ns (the request and the exchange themselves)");
    println!("one context and entry:    {:8.0} ns", request - native);
    println!("one bare entry:           {:8.1} ns", (least("bare") - request) / 3.0);
    let entry = least("entry");
    println!("one entry, with mailbox:  {:8.0} ns", entry - native);
    let one = |name: &str, over: f64| (least(name) - over) / f64::from(TIMES);
    let (read, call) = (one("native-reads", native), one("native-calls", native));
    println!("one header read:          {:8.1} ns (native {read:.1})", one("reads", request));
    println!("one header read, SDK:     {:8.1} ns (native {read:.1})", one("sdk-reads", entry));
    println!("one foreign call:         {:8.1} ns (native {call:.1})", one("calls", request));
    for (name, what) in [
        ("authenticates", "one authentication:"),
        ("verifies", "one known token:"),
        ("sets", "two fields set:"),
    ] {
        println!("{what:25} {:8.1} ns", (least(name) - request) / f64::from(TIMES));
    }
    let new = (least("verifies-new") - request) / f64::from(FEW);
    println!("one token seen first:     {new:8.0} ns (RS256; the library alone {:.0})", verified());
    println!("an instance a request:    {:8.0} ns more", least("alone") - request);
    println!("the same, bot-detection:  {:8.0} ns more", least("bundled-alone") - least("bundled"));
    println!("three phases, 7 calls:    {:8.0} ns", least("phases") - native);
    println!("SDK guest doing nothing:  {:8.0} ns", least("sdk") - native);
}

/// What the library that the gateway uses takes for the signature of a token, in nanoseconds: the least of 50 batches.
fn verified() -> f64 {
    let key: Value = serde_json::from_str(KEYS).expect("keys");
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let [n, e] = ["n", "e"].map(|name| part(key["keys"][0][name].as_str().expect("a number")));
    let key = RsaPublicKeyComponents { n, e };
    let key = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).expect("a key");
    let (signed, signature) = TOKEN.rsplit_once('.').expect("a token");
    let signature = part(signature);
    let batch = || {
        let start = Instant::now();
        for _ in 0..100 {
            key.verify_sig(signed.as_bytes(), &signature).expect("the token of the standard");
        }
        start.elapsed().as_secs_f64() * 1e9 / 100.0
    };
    (0..50).map(|_| batch()).fold(f64::INFINITY, f64::min)
}
