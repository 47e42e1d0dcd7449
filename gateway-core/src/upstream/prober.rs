//! The task that asks the endpoints of an upstream how they are.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use tokio::{task::JoinSet, time::sleep};

use super::{
    Endpoint, TlsSettings, Transport, Upstream,
    probe::{Probe, Question},
    target::Group,
    vital::Probing,
};
use crate::{
    clock,
    config::{ActiveChecks, CheckType},
    error::BoxError,
    health::Schedule,
};

/// How the endpoints of an upstream are probed.
#[derive(Debug)]
pub(super) struct Prober {
    probe: Probe,
    schedule: Schedule,
    concurrency: usize,
}

/// The longest sleep where nothing is due: endpoints may come.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The shortest, so that an interval of nearly nothing does not keep a worker busy: Kong's timer ticks as often.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

impl Prober {
    /// What `group` asks for; none where it asks for no probes.
    pub(super) fn new(group: &Group) -> Option<Self> {
        let checks = &group.checks.active;
        let schedule = Schedule {
            healthy: millis(checks.healthy.interval),
            unhealthy: millis(checks.unhealthy.interval),
        };
        if schedule.healthy == 0 && schedule.unhealthy == 0 {
            return None;
        }
        let tls = match tls(checks, group) {
            Ok(tls) => tls,
            Err(error) => {
                // The services that show the certificate have been refused for it already.
                tracing::error!(upstream = %group.name, error, "no probes: the certificate is of no use");
                return None;
            }
        };
        let probe = Probe {
            question: question(checks),
            tls,
            sni: checks.https_sni.clone(),
            host: group.host_header.clone(),
            timeout: Duration::from_millis(millis(checks.timeout)),
        };
        let concurrency = usize::try_from(checks.concurrency).unwrap_or(usize::MAX).max(1);
        Some(Self { probe, schedule, concurrency })
    }
}

fn question(checks: &ActiveChecks) -> Question {
    match checks.kind {
        CheckType::Tcp => Question::Connection,
        CheckType::Http | CheckType::Https => {
            Question::Get { path: checks.http_path.clone(), headers: headers(checks) }
        }
        CheckType::Grpc | CheckType::Grpcs => Question::Grpc,
    }
}

/// The extra headers; the config room has refused names and values that are none.
fn headers(checks: &ActiveChecks) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in checks.headers.iter().flatten() {
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            headers.append(&name, value);
        }
    }
    headers
}

fn tls(checks: &ActiveChecks, group: &Group) -> Result<Option<Arc<ClientConfig>>, BoxError> {
    if !matches!(checks.kind, CheckType::Https | CheckType::Grpcs) {
        return Ok(None);
    }
    let settings = TlsSettings {
        verify: checks.https_verify_certificate,
        client: group.client_certificate.clone(),
        ..TlsSettings::default()
    };
    let transport = Transport::tls(&settings)?;
    Ok(transport.config().map(|config| match checks.kind {
        CheckType::Grpcs => {
            let mut config = ClientConfig::clone(config);
            config.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(config)
        }
        _ => Arc::clone(config),
    }))
}

/// Seconds as configured, in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 65535, and the cast saturates"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0).ceil() as u64
}

/// Probes the endpoints of an upstream for as long as it is there. Probes under way end with the task.
pub(super) async fn keep_probed(upstream: Weak<Upstream>, prober: Arc<Prober>) {
    let mut probes = JoinSet::new();
    loop {
        let Some(strong) = upstream.upgrade() else { return };
        let due = begin_due(&strong, &prober, &mut probes);
        let turned = Arc::clone(strong.turned());
        drop(strong);
        let mut rest = pin!(sleep(due.next));
        loop {
            tokio::select! {
                // Room for those that wait for it; otherwise all that ends here is the probe.
                Some(_) = probes.join_next() => if due.waiting { break },
                () = turned.notified() => break,
                () = &mut rest => break,
            }
        }
    }
}

/// What is left to do.
struct Due {
    /// How long until the next probe is due.
    next: Duration,
    /// Whether one is due now, and has to wait for another to end.
    waiting: bool,
}

/// Begins the probes that are due, as many as may run at a time.
fn begin_due(upstream: &Arc<Upstream>, prober: &Arc<Prober>, probes: &mut JoinSet<()>) -> Due {
    let now = clock::now();
    let mut due = Due { next: LONGEST_SLEEP, waiting: false };
    let timed = |endpoint: Arc<Endpoint>| Some((endpoint.vital().probe_at(prober.schedule, now)?, endpoint));
    let mut all: Vec<_> = upstream.probed().into_iter().filter_map(timed).collect();
    // Who waits longest goes first: one that hangs for longer than its interval would keep others from their turn.
    all.sort_by_key(|(at, _)| *at);
    for (at, endpoint) in all {
        if at > now {
            due.next = due.next.min(Duration::from_millis(at - now));
        } else if probes.len() < prober.concurrency && !endpoint.vital().is_probing() {
            let probing = endpoint.vital().begin_probe(now);
            // The next one is due by what is drawn now.
            let next = endpoint.vital().probe_at(prober.schedule, now).unwrap_or(u64::MAX);
            due.next = due.next.min(Duration::from_millis(next.saturating_sub(now)));
            probes.spawn(probe(Arc::downgrade(upstream), Arc::clone(prober), endpoint, probing));
        } else {
            due.waiting = true;
        }
    }
    due.next = due.next.max(SHORTEST_SLEEP);
    due
}

async fn probe(upstream: Weak<Upstream>, prober: Arc<Prober>, endpoint: Arc<Endpoint>, probing: Probing) {
    let outcome = prober.probe.ask(&endpoint).await;
    probing.end();
    if let Some(upstream) = upstream.upgrade() {
        upstream.learn_from_probe(&endpoint, outcome);
    }
}
