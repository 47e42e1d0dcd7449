//! Whether the time of a refusal tells how much of a secret was right: `cargo run --release -p gateway-benches --example timing`
//!
//! Two classes of requests that must look alike go through a whole gateway in random order, 100,000 of each, and Welch's
//! t-test compares their times, as "dudect" does (Reparaz, Balasch, Verbauwhede, 2017). With the slowest tenth, which
//! is the machine's, left out, |t| stays below 4.5 where the classes are alike:
//!
//! - key-auth: keys that are right but for their last four bytes, and keys that are wrong from the first;
//! - basic-auth: a wrong password for a user that exists, and for one that does not. Where a name's hash falls makes some
//!   nanoseconds' difference that is another one after each start; on a quiet machine t sees ten. Below 50 ns counts as alike:
//!   across a local network 100 ns can be told apart (Crosby, Wallach, Riedi, 2009).
//!
//! Two more classes differ, keys that are right and keys that are not: if the test does not tell these apart it proves nothing.
#![allow(clippy::unwrap_used, reason = "a tool that nobody depends on")]

use std::{hint::black_box, sync::Arc, time::Instant};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gateway_benches::Answer;
use gateway_core::{Body, ConnectInfo, Gateway, config::Checked, plugin::Registry};
use gateway_plugins::Plugins;
use http::{Request, StatusCode};
use tokio::runtime::{Builder, Runtime};

/// Requests of each class.
const SAMPLES: usize = 100_000;
/// Requests that are made before they are timed: what making one leaves behind is not timed with it.
const BATCH: usize = 100;
/// The bound of |t|.
const ALIKE: f64 = 4.5;
/// Nanoseconds that nobody can see from outside.
const UNSEEN: f64 = 50.0;

const KEY: &str = "0123456789abcdef0123456789abcdef";

const CONFIG: &str = r#"
_format_version: "3.0"
services:
- name: timed
  url: http://127.0.0.1:9
  routes:
  - { name: key, paths: [/key], plugins: [{ name: key-auth }] }
  - { name: basic, paths: [/basic], plugins: [{ name: basic-auth }] }
plugins:
- name: answer
consumers:
- username: somebody
  keyauth_credentials: [{ key: 0123456789abcdef0123456789abcdef }]
  basicauth_credentials: [{ username: somebody, password: a-password }]
"#;

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let registry = Plugins::new().and_then(|plugins| plugins.bundled(Registry::empty())).unwrap();
    let registry = registry.with(Answer::with(&[]));
    let checked = Checked::parse(CONFIG, &registry).unwrap();
    let gateway = Gateway::builder().plugins(registry).checked(checked).build().unwrap().for_worker(0);
    let timed = Timed { runtime: &runtime, gateway: &gateway };

    // Each class has as many bytes drawn as the other.
    let differ =
        timed.compare("key-auth, right and wrong keys", |right, drawn| key(if right { KEY } else { drawn }));
    let keys = timed.compare("key-auth, nearly right and wrong keys", |near, drawn| {
        let (begin, end) = drawn.split_at(28);
        key(&[if near { &KEY[..28] } else { begin }, end].concat())
    });
    let users = timed.compare("basic-auth, users that exist and that do not", |exists, drawn| {
        let (user, password) = drawn.split_at(8);
        basic(if exists { "somebody" } else { user }, password)
    });
    assert!(differ.t.abs() > ALIKE && differ.apart.abs() > UNSEEN, "what differs is told apart");
    assert!(keys.t.abs() < ALIKE, "how much of a key is right does not show");
    assert!(users.t.abs() < ALIKE || users.apart.abs() < UNSEEN, "whether there is a user does not show");
}

fn key(key: &str) -> Request<Body> {
    Request::get("/key").header("host", "a").header("apikey", key).body(Body::empty()).unwrap()
}

fn basic(user: &str, password: &str) -> Request<Body> {
    let field = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    Request::get("/basic").header("host", "a").header("authorization", field).body(Body::empty()).unwrap()
}

/// 32 random digits.
fn digits() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| char::from(b"0123456789abcdef"[usize::from(byte % 16)])).collect()
}

/// How two classes differ.
struct Compared {
    /// Welch's.
    t: f64,
    /// Nanoseconds.
    apart: f64,
}

struct Timed<'g> {
    runtime: &'g Runtime,
    gateway: &'g Gateway,
}

impl Timed<'_> {
    /// Times both classes, and says what came of it.
    fn compare(&self, what: &str, request: impl Fn(bool, &str) -> Request<Body>) -> Compared {
        let info = Arc::new(ConnectInfo::new(([127, 0, 0, 1], 5000).into(), ([127, 0, 0, 1], 8000).into()));
        let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
        self.runtime.block_on(async {
            while times.iter().any(|times| times.len() < SAMPLES) {
                let classes: Vec<_> = (0..BATCH).map(|_| toss()).collect();
                let requests: Vec<_> = classes.iter().map(|class| request(*class, &digits())).collect();
                for (class, request) in classes.into_iter().zip(requests) {
                    let begun = Instant::now();
                    let response = self.gateway.handle(&info, request).await;
                    let took = begun.elapsed();
                    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&response.status()));
                    black_box(response);
                    times[usize::from(class)].push(took.as_nanos() as f64);
                }
            }
        });
        let bound = bound(&times);
        let [one, other] = times.map(|times| Sample::of(times.into_iter().filter(|took| *took < bound)));
        let compared = Compared { t: one.t(&other), apart: one.mean - other.mean };
        println!("{what}: {:.0} ns and {:.0} ns, t = {:.2}", other.mean, one.mean, compared.t);
        compared
    }
}

fn toss() -> bool {
    let mut byte = [0];
    rand::fill(&mut byte).unwrap();
    byte[0] & 1 == 1
}

/// What nine tenths of both classes together are below.
fn bound(times: &[Vec<f64>; 2]) -> f64 {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    all[all.len() / 10 * 9]
}

struct Sample {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Sample {
    fn of(times: impl Iterator<Item = f64> + Clone) -> Self {
        let count = times.clone().count() as f64;
        let mean = times.clone().sum::<f64>() / count;
        let variance = times.map(|took| (took - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, variance }
    }

    fn t(&self, other: &Self) -> f64 {
        (self.mean - other.mean) / (self.variance / self.count + other.variance / other.count).sqrt()
    }
}
