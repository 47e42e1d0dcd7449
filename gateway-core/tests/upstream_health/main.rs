//! Targets that are unwell get no requests: by what traffic shows (compat H13 to H19, H22, S10, S12, P3, P37), by what
//! probes show (H1 to H11, H20), and back again (D20).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod probes;
mod traffic;

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering::Relaxed},
};

use common::{Edge, Scripted, Step, config as single};
use gateway_core::{
    config::{Config, Service, Target, Upstream},
    health::State,
    upstream::Endpoint,
};
use tokio::net::TcpListener;

/// An upstream whose answer can be changed: a status, or 0 for a reset.
struct Moody {
    status: Arc<AtomicU16>,
    server: Scripted,
}

impl Moody {
    async fn new() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let mood = Arc::clone(&status);
        let server = Scripted::on(listener, move |_| match mood.load(Relaxed) {
            0 => vec![Step::Body, Step::Reset],
            1 => vec![Step::Body, Step::Hang],
            status => {
                let head = format!("HTTP/1.1 {status} Mood\r\ncontent-length: 0\r\n\r\n");
                vec![Step::Body, Step::Send(head.into_bytes())]
            }
        });
        Self { status, server }
    }

    fn turn(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// Requests that arrived on `path`.
    fn asked(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path() == path).count()
    }
}

fn upstream(change: impl FnOnce(&mut Upstream)) -> Upstream {
    let mut upstream = Upstream::new("group");
    change(&mut upstream);
    upstream
}

/// No retries: what a request meets is what it gets.
fn config(upstream: &Upstream, targets: &[std::net::SocketAddr]) -> Config {
    patient(upstream, targets, 60_000)
}

/// The same, for answers that come within so many milliseconds.
fn patient(upstream: &Upstream, targets: &[std::net::SocketAddr], read_timeout: u32) -> Config {
    let mut service = Service::new("tested", "group");
    (service.retries, service.read_timeout) = (0, read_timeout);
    let all = single(service).with(upstream.clone());
    targets.iter().fold(all, |all, target| all.with(Target::new(upstream, &target.to_string())))
}

fn endpoints(edge: &Edge) -> Vec<Arc<Endpoint>> {
    edge.gateway.snapshot().upstream(Upstream::new("group").id).unwrap().endpoints()
}

fn health(edge: &Edge, of: std::net::SocketAddr) -> State {
    endpoints(edge).iter().find(|endpoint| endpoint.address() == of).unwrap().health()
}
