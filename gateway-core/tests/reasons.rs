//! One word for each failure, wherever it is told: in the header, the access log and the metrics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use common::{Edge, Scripted, Step, balanced, balanced_with, eventually, nowhere, scripted::send, settings};
use gateway_core::{
    Gateway,
    config::{Checked, Config, Plugin, Service, Target, Upstream},
    observe::{AccessLog, Exposition, NodeState, Sink},
    plugins,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The last of so many requests is answered so, and everywhere with this word.
async fn told(config: &Config, requests: usize, status: u16, word: &str) {
    let lines = Lines::default();
    let checked = Checked::of(config, &plugins::bundled()).unwrap();
    let log = AccessLog::start(Sink::Writer(Box::new(lines.clone())), 1).unwrap();
    let gateway = Gateway::builder().checked(checked).settings(settings()).access_log(log);
    let edge = Edge::of(gateway.build().unwrap());
    for _ in 1..requests {
        edge.get("/").await;
    }
    let reply = edge.get("/").await;
    assert_eq!((reply.status, reply.header("x-gateway-reason")), (status, word));
    eventually(word, || lines.text().contains(&format!("\"reason\":\"{word}\""))).await;
    let metrics = Arc::clone(edge.gateway.observer().metrics());
    let page = Exposition::new(metrics, &edge.gateway.settings().branding, NodeState::default);
    let text = Arc::new(page).text();
    let sample = format!("gateway_reasons_total{{service=\"tested\",route=\"all\",reason=\"{word}\"}} 1");
    assert!(text.contains(&sample), "{sample} in {text}");
}

/// Behind one target, without another try.
fn once(address: SocketAddr) -> (Config, Upstream) {
    within(address, 60_000)
}

/// The same, for answers that come within so many milliseconds.
fn within(address: SocketAddr, read_timeout: u32) -> (Config, Upstream) {
    let limits = |service: &mut Service| {
        (service.retries, service.read_timeout) = (0, read_timeout);
    };
    balanced_with(&[address], limits)
}

fn plugin(text: &str) -> Plugin {
    let text = format!("{{_format_version: '3.0', plugins: [{text}]}}");
    let config = Config::parse(&text, &plugins::bundled()).unwrap();
    Plugin::clone(config.plugins.values().next().unwrap())
}

#[tokio::test]
async fn what_no_endpoint_is_asked_for() {
    let (none, upstream) = balanced(&[]);
    told(&none, 1, 503, "no_targets").await;
    let mut drained = Target::new(&upstream, "127.0.0.1:9");
    drained.weight = 0;
    told(&none.with(drained), 1, 503, "weight_zero").await;
    let (config, mut upstream) = once(nowhere());
    upstream.healthchecks.passive.unhealthy.tcp_failures = 1;
    told(&config.clone().with(upstream.clone()), 2, 503, "ejected").await;
    // Where probes bring targets back they are unhealthy, not ejected.
    let active = &mut upstream.healthchecks.active;
    (active.unhealthy.interval, active.healthy.successes) = (60.0, 1);
    told(&config.clone().with(upstream), 2, 503, "all_unhealthy").await;
    let breaker = plugin("{name: circuit-breaker, config: {consecutive_failures: 1}}");
    told(&config.with(breaker), 2, 503, "breaker_open").await;
}

/// A plugin answers what its settings refuse.
#[tokio::test]
async fn what_a_plugin_refuses() {
    let without_length = plugin("{name: request-size-limiting, config: {require_content_length: true}}");
    told(&once(nowhere()).0.with(without_length), 1, 411, "plugin").await;
}

#[tokio::test]
async fn what_an_endpoint_does() {
    told(&once(nowhere()).0, 1, 502, "connect_refused").await;
    for (script, read_timeout, status, word) in [
        (vec![Step::Body, Step::Reset], 60_000, 502, "reset"),
        (vec![Step::Body, Step::Hang], 100, 504, "read_timeout"),
        (vec![Step::Body, send("what?\r\n\r\n")], 60_000, 502, "bad_response"),
    ] {
        let server = Scripted::start(move |_| script.clone()).await;
        told(&within(server.address, read_timeout).0, 1, status, word).await;
    }
    let hung = Scripted::start(|_| vec![Step::Body, Step::Hang]).await;
    let retry = plugin("{name: retry, config: {total_timeout: 50}}");
    told(&once(hung.address).0.with(retry), 1, 504, "deadline").await;
}
