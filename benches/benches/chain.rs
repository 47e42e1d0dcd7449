//! What three plugins in WebAssembly cost a request, in processor time: key-auth, rate-limiting and response-transformer.
//!
//! `cargo bench -p gateway-benches --bench chain`
//!
//! The same request goes through a whole gateway, once on a route with the three and once on one without. A native
//! plugin at the end of both chains answers in place of an upstream, so that no socket is in it. Batches of both take
//! turns; what counts is the difference of each pair.
//!
//! `chain CASE` after `--` with `GATEWAY_BENCH_ONCE` set runs `plain` or `plugins` 10,000 times and nothing else, for a
//! counter of instructions.
#![allow(clippy::expect_used, reason = "a bench ends with its set-up")]

use std::{hint::black_box, sync::Arc};

use gateway_benches::Answer;
use gateway_core::{Body, ConnectInfo, Gateway, config::Checked, plugin::Registry};
use gateway_plugins::Plugins;
use http::{HeaderValue, Request};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

/// Requests of a batch, and pairs of batches.
const BATCH: u32 = 1_000;
const PAIRS: usize = 300;

const CONFIG: &str = r#"
_format_version: "3.0"
services:
- name: bench
  url: http://127.0.0.1:9
  routes:
  - name: plain
    paths: [/plain]
  - name: plugins
    paths: [/plugins]
    plugins:
    - name: key-auth
    - name: rate-limiting
      config: { minute: 1000000000, policy: local }
    - name: response-transformer
      config: { add: { headers: ["x-added:1"] }, remove: { headers: [x-upstream] } }
plugins:
- name: answer
consumers:
- username: bench
  keyauth_credentials: [{ key: bench-key-7 }]
"#;

/// As the harness's upstream answers.
const ANSWER: &[(&str, &str)] =
    &[("content-type", "text/plain"), ("x-upstream", "1"), ("content-length", "0")];

/// The request that the harness sends.
fn request(path: &'static str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    for (name, value) in [("host", "127.0.0.1:18080"), ("user-agent", "wrk"), ("apikey", "bench-key-7")] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    request
}

/// Nanoseconds of processor time that this thread has used.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let registry =
        Plugins::new().and_then(|plugins| plugins.bundled(Registry::empty())).expect("the plugins");
    let registry = registry.with(Answer::with(ANSWER));
    let checked = Checked::parse(CONFIG, &registry).expect("a configuration");
    let gateway =
        Gateway::builder().plugins(registry).checked(checked).build().expect("a gateway").for_worker(0);
    let info = Arc::new(ConnectInfo::new(([127, 0, 0, 1], 5000).into(), ([127, 0, 0, 1], 8000).into()));
    let batch = |path: &'static str| {
        let before = used();
        runtime.block_on(async {
            for _ in 0..BATCH {
                let response = gateway.handle(&info, request(path)).await;
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers().contains_key("x-added"), path == "/plugins");
                black_box(response);
            }
        });
        (used() - before) / f64::from(BATCH)
    };
    if std::env::var_os("GATEWAY_BENCH_ONCE").is_some() {
        let path = if std::env::args().nth(1).as_deref() == Some("plugins") { "/plugins" } else { "/plain" };
        return (0..10).for_each(|_| _ = batch(path));
    }
    (0..20).for_each(|_| _ = (batch("/plain"), batch("/plugins")));
    let mut pairs: Vec<_> = (0..PAIRS).map(|_| (batch("/plain"), batch("/plugins"))).collect();
    pairs.sort_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)));
    let tell = |what: &str, (plain, plugins): &(f64, f64)| {
        println!(
            "{what}: without {plain:6.0} ns, with three plugins {plugins:6.0} ns, more {:6.0} ns",
            plugins - plain
        );
    };
    tell("least ", &pairs[0]);
    tell("median", &pairs[PAIRS / 2]);
}
