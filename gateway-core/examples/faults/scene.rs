//! Three servers behind a gateway under a steady load, of which one goes wrong for a while: what clients notice of it.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gateway_core::{
    Gateway, Settings,
    config::Config,
    plugins,
    server::{self, Server},
};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use super::{
    origin::{Ledger, Origin, field, next},
    proxy::{Fault, Proxy},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How a scene is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// Requests a second; every fourth is a POST.
    pub(crate) rate: u32,
    /// How long an answer takes usually.
    pub(crate) usual: Duration,
    /// The limit of a try.
    pub(crate) per_try: Duration,
    /// How long all goes well, before.
    pub(crate) before: Duration,
    /// How long one of three goes wrong.
    pub(crate) wrong: Duration,
}

/// What clients noticed.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) requests: usize,
    /// GETs that failed.
    pub(crate) gets: usize,
    /// POSTs that failed, by the reason that the gateway gave.
    pub(crate) posts: BTreeMap<String, usize>,
    /// POSTs that were acted on more than once.
    pub(crate) twice: usize,
    /// POSTs that were answered well, and those that were acted on.
    pub(crate) well: usize,
    pub(crate) acted_on: usize,
    /// From the fault on, until the gateway had one endpoint less.
    pub(crate) seen: Option<Duration>,
    /// From then on, until p99 was as before.
    pub(crate) normal: Option<Duration>,
    /// p99 before, and of the second half of the fault.
    pub(crate) p99: [Duration; 2],
}

/// Reasons of a failure after the request was written, or may have been.
pub(crate) const WRITTEN: [&str; 4] = ["reset", "read_timeout", "bad_response", "deadline"];

impl Script {
    /// Plays it.
    pub(crate) async fn play(self, fault: Fault) -> Result<Figures> {
        let ledger = Ledger::default();
        let mut origins = Vec::new();
        for _ in 0..3 {
            origins.push(Origin::start(self.usual, ledger.clone()).await?);
        }
        let proxy = Proxy::start(origins[0].address)?;
        let gateway = self.gateway([proxy.address, origins[1].address, origins[2].address])?;
        let mut settings = server::Settings::default();
        (settings.workers, settings.grace) = (1, Duration::ZERO);
        let bound = Server::new(settings).listen(([127, 0, 0, 1], 0).into()).bind()?;
        let (address, serving) = (bound.addresses()[0], gateway.clone());
        let _running = bound.start(move |worker| serving.serve(worker))?;

        let begun = Instant::now();
        let load = Load { address, begun, idle: Arc::default() };
        let sending = tokio::spawn(load.run(self.rate, self.before + self.wrong));
        sleep(self.before).await;
        proxy.go_wrong(fault);
        let wrong = Instant::now();
        let seen = tokio::spawn(noticed(gateway, wrong, self.wrong));
        let samples = sending.await?;
        Ok(self.figures(&samples, &ledger, wrong - begun, seen.await?))
    }

    /// A gateway with a limit for each try, ejection, and a breaker that takes slowness for failure.
    fn gateway(self, targets: [SocketAddr; 3]) -> Result<Gateway> {
        let targets = targets.map(|target| json!({ "target": target.to_string() }));
        let (per_try, slow) = (millis(self.per_try), millis(self.usual * 5));
        let entities = json!({
            "_format_version": "3.0",
            "upstreams": [{
                "name": "tested",
                "tags": ["ejection-time:2"],
                "healthchecks": { "passive": { "unhealthy": { "tcp_failures": 3, "timeouts": 3 } } },
                "targets": targets,
            }],
            "services": [{
                "name": "tested",
                "host": "tested",
                "routes": [{ "name": "all", "paths": ["/"], "strip_path": false }],
            }],
            "plugins": [{ "name": "retry", "config": { "per_try_timeout": per_try } }, {
                "name": "circuit-breaker",
                "config": {
                    "apply_to": ["endpoint"],
                    "window": 1_000,
                    "minimum_calls": 10,
                    "slow_percent": 50,
                    "slow_time": slow,
                },
            }],
        });
        let text = entities.to_string();
        let config = Config::parse(&text, &plugins::bundled()).map_err(|problems| problems.to_string())?;
        let mut settings = Settings::default();
        (settings.reason_header, settings.shards) = (true, 1);
        Ok(Gateway::builder().config(config).settings(settings).build().map_err(|error| error.to_string())?)
    }

    fn figures(
        self,
        samples: &[Sample],
        ledger: &Ledger,
        wrong: Duration,
        seen: Option<Duration>,
    ) -> Figures {
        let failed = |sample: &&Sample| sample.failure.is_some();
        let mut posts = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.is_post).filter(failed) {
            *posts.entry(sample.failure.clone().unwrap_or_default()).or_default() += 1;
        }
        let (acted_on, twice) = ledger.read();
        let within = |from: Duration, to: Duration| p99(samples, from..to);
        let before = within(wrong / 2, wrong).unwrap_or_default();
        let end = wrong + self.wrong;
        // As before, and the width of a timer's tick more.
        let usual = |p99: Duration| p99 <= before * 3 / 2 + Duration::from_millis(5);
        let normal = seen.and_then(|seen| {
            let mut from = wrong + seen;
            let begun = from;
            while from + BUCKET <= end {
                if within(from, from + BUCKET).is_some_and(usual) {
                    return Some(from - begun);
                }
                from += BUCKET / 5;
            }
            None
        });
        Figures {
            requests: samples.len(),
            gets: samples.iter().filter(|sample| !sample.is_post).filter(failed).count(),
            posts,
            twice,
            well: samples.iter().filter(|sample| sample.is_post && sample.failure.is_none()).count(),
            acted_on,
            seen,
            normal,
            p99: [before, within(wrong + self.wrong / 2, end).unwrap_or_default()],
        }
    }
}

/// Times are looked at in pieces of this length.
const BUCKET: Duration = Duration::from_millis(250);

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Until the gateway has one endpoint less: ejected, or behind an open breaker.
async fn noticed(gateway: Gateway, wrong: Instant, most: Duration) -> Option<Duration> {
    while wrong.elapsed() < most {
        let snapshot = gateway.snapshot();
        let upstreams = snapshot.config().upstreams.keys().filter_map(|id| snapshot.upstream(*id));
        let mut endpoints = upstreams.flat_map(|upstream| upstream.endpoints());
        let ejected = endpoints.any(|endpoint| !endpoint.health().is_available());
        let of_breakers = |reading: &gateway_core::plugin::Reading| {
            reading.metric == "gateway_circuit_breaker_state" && reading.value > 0
        };
        if ejected || snapshot.readings().iter().any(|reading| of_breakers(&reading.reading)) {
            return Some(wrong.elapsed());
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}

/// The time that 99 of 100 answers stayed below, of requests that were due within this range.
fn p99(samples: &[Sample], range: std::ops::Range<Duration>) -> Option<Duration> {
    let of_range = samples.iter().filter(|sample| range.contains(&sample.due));
    let mut times: Vec<_> = of_range.map(|sample| sample.took).collect();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied()
}

/// One request.
struct Sample {
    /// When it was to be sent, and how long after that it was answered.
    due: Duration,
    took: Duration,
    is_post: bool,
    /// The reason, or else the status.
    failure: Option<String>,
}

/// An open connection, and what was read of it and not yet used.
type Connection = (TcpStream, Vec<u8>);

/// Requests that are sent when they are due, whatever became of those before.
#[derive(Clone)]
struct Load {
    address: SocketAddr,
    begun: Instant,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Load {
    async fn run(self, rate: u32, time: Duration) -> Vec<Sample> {
        let mut sent = JoinSet::new();
        for number in 0.. {
            let due = Duration::from_secs(1) * number / rate;
            if due >= time {
                break;
            }
            sleep_until((self.begun + due).into()).await;
            sent.spawn(self.clone().ask(number, due));
        }
        sent.join_all().await
    }

    async fn ask(self, number: u32, due: Duration) -> Sample {
        let is_post = number.is_multiple_of(4);
        let answered = timeout(Duration::from_secs(10), self.exchange(number, is_post)).await;
        let failure = match answered {
            Ok(Some(head)) => failure(&head),
            Ok(None) => Some("connection".to_owned()),
            Err(_) => Some("no answer".to_owned()),
        };
        Sample { due, took: self.begun.elapsed().saturating_sub(due), is_post, failure }
    }

    async fn exchange(&self, number: u32, is_post: bool) -> Option<String> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut stream, mut buffer) = match kept {
            Some(kept) => kept,
            None => (TcpStream::connect(self.address).await.ok()?, Vec::new()),
        };
        let request = match is_post {
            true => format!("POST / HTTP/1.1\r\nhost: a\r\nx-id: {number}\r\ncontent-length: 5\r\n\r\nhello"),
            false => "GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        };
        stream.write_all(request.as_bytes()).await.ok()?;
        let head = next(&mut stream, &mut buffer).await?;
        if field(&head, "connection").is_none_or(|connection| connection != "close") {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((stream, buffer));
        }
        Some(head)
    }
}

/// Why a request failed; none: it did not.
fn failure(head: &str) -> Option<String> {
    let status = head.split(' ').nth(1).unwrap_or_default();
    (status != "200").then(|| field(head, "x-gateway-reason").unwrap_or(status).to_owned())
}
