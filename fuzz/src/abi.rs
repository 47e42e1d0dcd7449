//! Calls of a guest in any order, with any arguments, in any callback: one line a call.
//!
//! `CALLBACK CALL ARGUMENT...` calls in each callback of that name, in the order of the lines. `returns CALLBACK NUMBER`
//! says what a callback returns. An argument is a number, `@WORD` (where a known text lies) or `#WORD` (its length).
//! One guest reads all of that: nothing is compiled for an input.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gateway_core::{
    Body, ConnectInfo,
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};
use gateway_plugins::{
    Area, Call, Calling, Engine, ForeignFunction, Limits, Module, Returned, Stats, Status, Upstreams,
    WasmPlugin,
};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;

/// What a guest is called for, in the order of the guest's table; what it returns where nothing is said.
const CALLBACKS: [(&str, u8); 17] = [
    ("context_create", 0),
    ("vm_start", 1),
    ("configure", 1),
    ("request_headers", 0),
    ("request_body", 0),
    ("request_trailers", 0),
    ("response_headers", 0),
    ("response_body", 0),
    ("response_trailers", 0),
    ("done", 1),
    ("log", 0),
    ("delete", 0),
    ("tick", 0),
    ("queue_ready", 0),
    ("http_call_response", 0),
    ("foreign_function", 0),
    // The allocator: 0 gives memory, 1 nothing, 2 an address that is none, 3 one that it gave before.
    ("malloc", 0),
];

/// What a guest can call: module, name, its parameters (`i` 32 bits, `l` 64) and whether it returns something.
const CALLS: [(&str, &str, &str); 60] = [
    ("env", "proxy_get_buffer_bytes", "iiiii"),
    ("env", "proxy_set_buffer_bytes", "iiiii"),
    ("env", "proxy_get_buffer_status", "iii"),
    ("env", "proxy_get_configuration", "ii"),
    ("env", "proxy_set_effective_context", "i"),
    ("env", "proxy_done", ""),
    ("env", "proxy_get_shared_data", "iiiii"),
    ("env", "proxy_set_shared_data", "iiiii"),
    ("env", "proxy_call_foreign_function", "iiiiii"),
    ("env", "proxy_grpc_call", "iiiiiiiiiiii"),
    ("env", "proxy_grpc_stream", "iiiiiiiii"),
    ("env", "proxy_grpc_send", "iiii"),
    ("env", "proxy_grpc_cancel", "i"),
    ("env", "proxy_grpc_close", "i"),
    ("env", "proxy_get_header_map_size", "ii"),
    ("env", "proxy_get_header_map_pairs", "iii"),
    ("env", "proxy_set_header_map_pairs", "iii"),
    ("env", "proxy_get_header_map_value", "iiiii"),
    ("env", "proxy_add_header_map_value", "iiiii"),
    ("env", "proxy_replace_header_map_value", "iiiii"),
    ("env", "proxy_remove_header_map_value", "iii"),
    ("env", "proxy_http_call", "iiiiiiiiii"),
    ("env", "proxy_send_local_response", "iiiiiiii"),
    ("env", "proxy_log", "iii"),
    ("env", "proxy_get_log_level", "i"),
    ("env", "proxy_define_metric", "iiii"),
    ("env", "proxy_record_metric", "il"),
    ("env", "proxy_increment_metric", "il"),
    ("env", "proxy_get_metric", "ii"),
    ("env", "proxy_get_property", "iiii"),
    ("env", "proxy_set_property", "iiii"),
    ("env", "proxy_register_shared_queue", "iii"),
    ("env", "proxy_resolve_shared_queue", "iiiii"),
    ("env", "proxy_enqueue_shared_queue", "iii"),
    ("env", "proxy_dequeue_shared_queue", "iii"),
    ("env", "proxy_continue_stream", "i"),
    ("env", "proxy_close_stream", "i"),
    ("env", "proxy_get_status", "iii"),
    ("env", "proxy_continue_request", ""),
    ("env", "proxy_continue_response", ""),
    ("env", "proxy_clear_route_cache", ""),
    ("env", "proxy_get_current_time_nanoseconds", "i"),
    ("env", "proxy_set_tick_period_milliseconds", "i"),
    ("wasi_snapshot_preview1", "fd_write", "iiii"),
    ("wasi_snapshot_preview1", "fd_read", "iiii"),
    ("wasi_snapshot_preview1", "fd_seek", "ilii"),
    ("wasi_snapshot_preview1", "fd_close", "i"),
    ("wasi_snapshot_preview1", "fd_fdstat_get", "ii"),
    ("wasi_snapshot_preview1", "environ_get", "ii"),
    ("wasi_snapshot_preview1", "environ_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "args_get", "ii"),
    ("wasi_snapshot_preview1", "args_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "clock_time_get", "ili"),
    ("wasi_snapshot_preview1", "random_get", "ii"),
    ("wasi_snapshot_preview1", "path_filestat_get", "iiiii"),
    ("wasi_snapshot_preview1", "sched_yield", ""),
    ("guest", "poke", "ii"),
    ("guest", "grow", "i"),
    ("guest", "trap", ""),
    ("guest", "spin", ""),
];

/// Texts that lie in the guest's memory.
const WORDS: [(&str, &[u8]); 24] = [
    ("host", b"host"),
    ("path", b":path"),
    ("status", b":status"),
    ("length", b"content-length"),
    ("encoding", b"transfer-encoding"),
    ("field", b"x-a"),
    ("bad", b"a\r\nb: c\0"),
    ("high", b"\xff\xfe\x80"),
    ("text", b"some text"),
    ("auth", b"auth"),
    ("later", b"later"),
    ("kv", b"gateway.kv.set"),
    ("counter", b"gateway.counter.add"),
    ("limit", b"gateway.ratelimit.check"),
    ("jwt", b"gateway.jwt.verify"),
    ("verifier", b"gateway.jwt.verifier"),
    ("crypto", b"gateway.crypto.digest"),
    ("secret", b"gateway.secret.get"),
    ("var", b"gateway.var.set"),
    ("consumer", b"gateway.consumer.lookup"),
    ("property", b"request\0headers\0host"),
    ("root", b"plugin_root_id"),
    ("pairs", b"\x01\0\0\0\x03\0\0\0\x01\0\0\0x-b\0c\0"),
    (
        "call",
        b"\x03\0\0\0\x07\0\0\0\x03\0\0\0\x05\0\0\0\x01\0\0\0\x0a\0\0\0\x01\0\0\0:method\0GET\0:path\0/\0:authority\0a\0",
    ),
];

/// Where the first of them lies.
const TEXTS: usize = 1024;
/// A call of a script: the callback, the call, and its arguments.
const OPERATION: usize = 4 + 4 * ARGUMENTS;
const ARGUMENTS: usize = 12;
/// Before the calls: what callbacks return.
const RETURNS: usize = 20;
/// Lines that count.
const LINES: usize = 64;

/// Whatever a guest does: the host stands, the request has an end, its framing is the host's, and nothing stays. What the
/// plugin has done.
pub fn abi(data: &[u8]) -> Stats {
    let Some(script) = std::str::from_utf8(data).ok().map(script) else { return Stats::default() };
    BED.with(|bed| {
        bed.script.replace(script);
        let stats = bed.runtime.block_on(async {
            let plugin = bed.plugin();
            let watch = plugin.watch();
            if let Ok(Configured::Handler(handler)) =
                plugin.configure(&json!({ "host": { "upstreams": ["auth"] } }))
            {
                request(handler.as_ref()).await;
            }
            watch.stats()
        });
        // What is being made meanwhile goes when it is there.
        for _ in 0..2_000 {
            if bed.engine.alive().instances == 0 {
                return stats;
            }
            bed.runtime.block_on(async { tokio::task::yield_now().await });
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{:?} with nothing that is served", bed.engine.alive());
    })
}

/// What is the same for all inputs.
struct Bed {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    module: Module,
    script: Arc<Script>,
}

thread_local! {
    static BED: Bed = Bed::new();
}

impl Bed {
    fn new() -> Self {
        // Time passes when nobody has anything to do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let engine = Engine::new().expect("an engine");
        let module = wat::parse_str(guest()).expect("a module");
        let module = Module::new(&engine, &module, &Limits::default()).expect("a plugin");
        Self { runtime, engine, module, script: Arc::default() }
    }

    fn plugin(&self) -> WasmPlugin {
        let mut limits = Limits::default();
        limits.traps = u32::MAX;
        limits.contexts = 64;
        WasmPlugin::builder("fuzzed")
            .limits(limits)
            .grant(Area::ALL)
            .function("script", Read(Arc::clone(&self.script)))
            .function("later", Later)
            .upstreams(Arc::new(Auth), ["auth"])
            .module(&self.engine, &self.module)
    }
}

/// What the guest does.
#[derive(Default)]
struct Script(std::sync::Mutex<Vec<u8>>);

impl Script {
    fn replace(&self, script: Vec<u8>) {
        *self.0.lock().expect("no panic") = script;
    }
}

struct Read(Arc<Script>);

impl ForeignFunction for Read {
    fn call(&self, _: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        call.answer.extend_from_slice(&self.0.0.lock().expect("no panic"));
        Ok(Returned::Written)
    }
}

struct Later;

impl ForeignFunction for Later {
    fn call(&self, arguments: &[u8], _: &mut Call<'_>) -> Result<Returned, Status> {
        let arguments = Bytes::copy_from_slice(arguments);
        Ok(Returned::Later(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            arguments
        })))
    }
}

struct Auth;

impl Upstreams for Auth {
    fn call(&self, name: &str, request: Request<Body>, _: usize) -> Option<Calling> {
        assert_eq!(name, "auth", "no other is granted");
        assert!(request.uri().path().starts_with('/') || request.uri().path() == "*", "{request:?}");
        Some(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(Response::new(Body::from("yes")))
        }))
    }
}

/// One exchange through the handler, as the chain does it.
async fn request(handler: &dyn Handler) {
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

/// The bytes that the guest reads.
fn script(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = CALLBACKS.iter().map(|(_, returns)| *returns).collect();
    bytes.resize(RETURNS, 0);
    for line in text.lines().take(LINES) {
        let words: Vec<_> = line.split_whitespace().collect();
        let callback = |name: &str| CALLBACKS.iter().position(|(known, _)| *known == name);
        match words.as_slice() {
            ["returns", name, number] => {
                if let (Some(at), Ok(number)) = (callback(name), number.parse()) {
                    bytes[at] = number;
                }
            }
            [name, call, arguments @ ..] => {
                let call = CALLS
                    .iter()
                    .position(|(_, known, _)| known.strip_prefix("proxy_").unwrap_or(known) == *call);
                let (Some(callback), Some(call)) = (callback(name), call) else { continue };
                let (callback, call) = (u8::try_from(callback), u8::try_from(call));
                bytes.extend([callback.expect("few"), call.expect("few"), 0, 0]);
                let arguments = arguments.iter().map(|word| argument(word)).chain(std::iter::repeat(0));
                arguments.take(ARGUMENTS).for_each(|number| bytes.extend(number.to_le_bytes()));
            }
            _ => {}
        }
    }
    bytes
}

/// A number, where a text lies, or its length.
fn argument(word: &str) -> u32 {
    let mut at = TEXTS;
    for (name, text) in WORDS {
        match word.split_at_checked(1) {
            Some(("@", known)) if known == name => return u32::try_from(at).expect("it is small"),
            Some(("#", known)) if known == name => return u32::try_from(text.len()).expect("it is small"),
            _ => at += text.len(),
        }
    }
    let number: i64 = word.parse().unwrap_or_default();
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or_default()
}

/// A guest that does what a script says.
fn guest() -> String {
    let (mut imports, mut cases, mut open, mut labels) =
        (String::new(), String::new(), String::new(), String::new());
    for (at, (module, name, parameters)) in CALLS.iter().enumerate() {
        let types: Vec<_> = parameters.chars().map(|kind| if kind == 'l' { "i64" } else { "i32" }).collect();
        if *module != "guest" {
            let types = types.join(" ");
            imports.push_str(&format!(
                "(import \"{module}\" \"{name}\" (func ${name} (param {types}) (result i32)))\n"
            ));
        }
        let loads: String = parameters
            .chars()
            .enumerate()
            .map(|(k, kind)| {
                let load = format!("(i32.load offset={} (local.get 0))", 4 + 4 * k);
                if kind == 'l' { format!("(i64.extend_i32_s {load})") } else { load }
            })
            .collect();
        let body = match *name {
            "poke" => format!("(i32.store {loads})"),
            "grow" => format!("(drop (memory.grow {loads}))"),
            "trap" => "(unreachable)".to_owned(),
            "spin" => "(loop $again (br $again))".to_owned(),
            name => format!("(drop (call ${name} {loads}))"),
        };
        open.insert_str(0, &format!("(block $c{at} "));
        labels.push_str(&format!("$c{at} "));
        cases.push_str(&format!(") {body} (br $end)\n"));
    }
    let texts: String =
        WORDS.iter().flat_map(|(_, text)| *text).map(|byte| format!("\\{byte:02x}")).collect();
    let callback = |name: &str, parameters: usize, returns: bool| {
        let at = CALLBACKS.iter().position(|(known, _)| *known == name).expect("a callback");
        let parameters = "i32 ".repeat(parameters);
        let (result, body) = match returns {
            true => ("(result i32)", format!("(call $run (i32.const {at}))")),
            false => ("", format!("(drop (call $run (i32.const {at})))")),
        };
        format!("(func (export \"proxy_on_{name}\") (param {parameters}) {result} {body})\n")
    };
    let callbacks: String = [
        callback("context_create", 2, false),
        callback("vm_start", 2, true),
        callback("request_headers", 3, true),
        callback("request_body", 3, true),
        callback("request_trailers", 2, true),
        callback("response_headers", 3, true),
        callback("response_body", 3, true),
        callback("response_trailers", 2, true),
        callback("done", 1, true),
        callback("log", 1, false),
        callback("delete", 1, false),
        callback("tick", 1, false),
        callback("queue_ready", 2, false),
        callback("http_call_response", 5, false),
        callback("foreign_function", 3, false),
    ]
    .concat();
    format!(
        r#"(module {imports}
        (memory (export "memory") 2)
        (data (i32.const 16) "script") (data (i32.const {TEXTS}) "{texts}")
        (global $script (mut i32) (i32.const 0)) (global $size (mut i32) (i32.const 0))
        (global $top (mut i32) (i32.const 65536)) (global $depth (mut i32) (i32.const 0))
        (global $left (mut i32) (i32.const 500))
        (func (export "proxy_abi_version_0_2_1"))
        (func $do (param i32) (block $end {open} (br_table {labels} $end (i32.load8_u offset=1 (local.get 0)))
            {cases}))
        ;; All calls of a callback, in their order; not from within more than three others, and not for ever: a guest that
        ;; always has something to do lets no time pass.
        (func $run (param $callback i32) (result i32) (local $at i32)
            (if (i32.or (i32.eqz (global.get $script)) (i32.gt_u (global.get $depth) (i32.const 3)))
                (then (return (i32.const 1))))
            (if (i32.eqz (global.get $left)) (then (return (i32.const 1))))
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (local.set $at (i32.const {RETURNS}))
            (block $out (loop $next
                (br_if $out (i32.ge_u (local.get $at) (global.get $size)))
                (if (i32.eq (i32.load8_u (i32.add (global.get $script) (local.get $at))) (local.get $callback))
                    (then (call $do (i32.add (global.get $script) (local.get $at)))))
                (local.set $at (i32.add (local.get $at) (i32.const {OPERATION})))
                (br $next)))
            (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
            (i32.load8_u (i32.add (global.get $script) (local.get $callback))))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (if (i32.eqz (global.get $script)) (then
                (drop (call $proxy_call_foreign_function (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0)
                    (i32.const 8) (i32.const 12)))
                (global.set $size (i32.load (i32.const 12)))
                (global.set $script (i32.load (i32.const 8)))))
            (call $run (i32.const 2)))
        (func (export "malloc") (param i32) (result i32) (local $way i32)
            (local.set $way (call $run (i32.const 16)))
            (if (i32.and (i32.ne (global.get $script) (i32.const 0)) (i32.eq (local.get $way) (i32.const 1)))
                (then (return (i32.const 0))))
            (if (i32.eq (local.get $way) (i32.const 2)) (then (return (i32.const -8))))
            (if (i32.eq (local.get $way) (i32.const 3)) (then (return (global.get $script))))
            (if (i32.gt_u (i32.add (global.get $top) (local.get 0)) (i32.const 131072))
                (then (return (i32.const 0))))
            (global.get $top)
            (global.set $top (i32.add (global.get $top) (local.get 0))))
        {callbacks})"#
    )
}
