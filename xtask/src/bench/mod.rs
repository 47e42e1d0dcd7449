//! The end-to-end bench: this gateway beside its peers, in turns, on one core.
//!
//! A turn starts one proxy, measures it and ends it. The rounds are interleaved (a b c, a b c, ...), so a busy
//! neighbour disturbs all alike, and ratios are taken within a round. `benches/README.md` explains the figures.

mod goals;
mod headers;
pub(crate) mod http;
mod machine;
mod measure;
mod page;
mod peer;
mod plot;
mod proc;
pub(crate) mod process;
mod report;
mod results;
mod stage;
pub(crate) mod stats;
pub(crate) mod training;
mod verdict;
mod wrk;

use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use crate::{Failure, Result};
use machine::Machine;
use measure::{Kind, Load};
use peer::{CHANGING, GATEWAY, PEERS, PLUGGED, Peer};
use report::{Report, Series};
use stage::{Cores, KEY, Origin, Stage};

/// What a turn may take besides the load's own time.
const STUCK: Duration = Duration::from_secs(120);

/// Measure the gateway beside nginx, HAProxy, Pingora and Envoy
#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum, default_value = "load")]
    kind: Kind,
    /// How often each proxy has its turn [default: 7; syscalls and idle: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// How long each turn loads the proxy, in whole seconds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Only these proxies [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_parser = names())]
    peers: Vec<String>,
    /// The proxy that the others are compared with
    #[arg(long, default_value = GATEWAY, value_parser = names())]
    subject: String,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Connections that `idle` opens
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u16).range(1..=8000))]
    idle: u16,
    /// Requests per second for `p99` [default: half of each proxy's own peak]
    #[arg(long)]
    rate: Option<f64>,
    /// The core of the proxy
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of the upstream and the load generator
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// The name of the files in benches/results [default: the date and what was measured]
    #[arg(long)]
    name: Option<String>,
    /// One round of one second, nothing written: does the harness work?
    #[arg(long)]
    quick: bool,
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        self.check_cores()?;
        let (peers, mut skipped) = self.pick(&root)?;
        for line in &skipped {
            eprintln!("left out: {line}");
        }
        let Some(measurement) = self.kind.measurement() else {
            return self.headers(&root, &peers).await;
        };
        let series = self.rounds(&root, peers, &mut skipped).await?;
        let report = Report {
            measurement,
            subject: self.subject().to_owned(),
            series,
            skipped,
            machine: Machine::this(),
            setting: self.setting(),
        };
        println!("{}", report.table());
        report.goals().iter().for_each(|goal| println!("{goal}"));
        if self.quick {
            return Ok(());
        }
        results::write(&root, self.name.as_deref(), self.kind, &report).await
    }

    fn check_cores(&self) -> Result<()> {
        let cores = available_parallelism().map_or(1, Into::into);
        if self.proxy_core == self.load_core || self.proxy_core.max(self.load_core) >= cores {
            return Err(format!("the bench needs two cores of its own below {cores}").into());
        }
        Ok(())
    }

    /// The peers to measure, and why the others are not.
    fn pick(&self, root: &Path) -> Result<(Vec<&'static Peer>, Vec<String>)> {
        let asked = |peer: &&Peer| self.peers.is_empty() || self.peers.iter().any(|name| name == peer.name);
        let (here, missing): (Vec<&Peer>, Vec<&Peer>) =
            self.peers().iter().filter(asked).partition(|peer| peer.program(root).is_some());
        let missing: Vec<String> =
            missing.iter().map(|peer| format!("{} is not here: {}", peer.name, peer.install())).collect();
        if here.is_empty() || (self.strict() && !missing.is_empty()) {
            return Err(missing.join("\n").into());
        }
        Ok((here, missing))
    }

    fn peers(&self) -> &'static [Peer] {
        match self.kind {
            Kind::Change => CHANGING,
            Kind::Plugins => PLUGGED,
            _ => PEERS,
        }
    }

    /// The one that is compared with the others.
    fn subject(&self) -> &str {
        match self.kind {
            Kind::Change | Kind::Plugins => self.peers().first().map_or(GATEWAY, |peer| peer.name),
            _ => &self.subject,
        }
    }

    /// In CI, where a peer was asked for by name, a green run without it would be a lie.
    fn strict(&self) -> bool {
        std::env::var_os("CI").is_some() && !self.peers.is_empty()
    }

    async fn headers(&self, root: &Path, peers: &[&'static Peer]) -> Result<()> {
        let mut problems = Vec::new();
        for peer in peers {
            let stage = Stage::open(peer, root, self.cores(), Origin::Echo, self.field()).await?;
            let checked = timeout(STUCK, headers::check(peer, &stage)).await;
            stage.close().await;
            let checked = checked.unwrap_or_else(|_| Err("no answer".into()));
            problems.extend(checked.err().map(|error| format!("{}: {error}", peer.name)));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }

    /// All rounds of all peers. A peer that fails is left out of the whole run.
    async fn rounds(
        &self,
        root: &Path,
        peers: Vec<&'static Peer>,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<Series>> {
        let mut all = Vec::new();
        for peer in peers {
            all.push((
                peer,
                Series { name: peer.name, version: peer.version(root).await?, rounds: Vec::new() },
            ));
        }
        for round in 1..=self.round_count() {
            for (peer, mut series) in std::mem::take(&mut all) {
                eprintln!("round {round} of {}: {}", self.round_count(), peer.name);
                match self.turn(peer, root).await {
                    Ok(figures) => series.rounds.push(figures),
                    Err(error) => {
                        // The page is published: it does not say where the repository lies.
                        let line = self.tolerated(peer, &error)?;
                        skipped.push(line.replace(&*root.to_string_lossy(), "."));
                        continue;
                    }
                }
                all.push((peer, series));
            }
        }
        if all.is_empty() {
            return Err("no proxy could be measured".into());
        }
        Ok(all.into_iter().map(|(_, series)| series).collect())
    }

    /// Why a peer is left out; without the subject there is nothing to compare.
    fn tolerated(&self, peer: &Peer, error: &Failure) -> Result<String> {
        let line = format!("{} failed: {error}", peer.name);
        if peer.name == self.subject() || self.strict() {
            return Err(line.into());
        }
        eprintln!("left out: {line}");
        Ok(line)
    }

    async fn turn(&self, peer: &Peer, root: &Path) -> Result<Vec<f64>> {
        let stage = Stage::open(peer, root, self.cores(), Origin::Fixed, self.field()).await?;
        let load = self.load();
        let figures = timeout(load.time + STUCK, self.kind.turn(&stage, load)).await;
        stage.close().await;
        figures.unwrap_or_else(|_| Err("the turn did not end".into()))
    }

    fn cores(&self) -> Cores {
        Cores { proxy: self.proxy_core, load: self.load_core }
    }

    /// What requests carry besides.
    fn field(&self) -> Option<&'static str> {
        (self.kind == Kind::Plugins).then_some(KEY)
    }

    fn load(&self) -> Load {
        Load {
            connections: self.connections.into(),
            time: Duration::from_secs(if self.quick { 1 } else { self.seconds.max(1) }),
            rate: self.rate,
            idle: self.idle.into(),
        }
    }

    fn round_count(&self) -> usize {
        let counted = matches!(self.kind, Kind::Syscalls | Kind::Idle);
        let usual = if self.quick || counted { 1 } else { 7 };
        self.rounds.unwrap_or(usual).max(1)
    }

    fn setting(&self) -> String {
        let Load { connections, time, idle, rate } = self.load();
        let load = match (self.kind, rate) {
            (Kind::Idle, _) => format!("{idle} idle connections"),
            (Kind::Syscalls, _) => format!("{connections} connections"),
            (Kind::P99 | Kind::Change, Some(rate)) => {
                format!("{connections} connections, {} s at {rate} requests/s", time.as_secs())
            }
            (Kind::P99 | Kind::Change, None) => {
                format!("{connections} connections, {} s at half of each proxy's own peak", time.as_secs())
            }
            _ => format!("{connections} connections, {} s a turn", time.as_secs()),
        };
        format!(
            "{} rounds, {load}. One worker on core {}, upstream and load generator on core {}. Median [min-max] of the \
             rounds; the last column divides {}'s first column by that of the proxy in the row, round by round.",
            self.round_count(),
            self.proxy_core,
            self.load_core,
            self.subject(),
        )
    }
}

fn names() -> clap::builder::PossibleValuesParser {
    PEERS.iter().chain(CHANGING).chain(PLUGGED).map(|peer| peer.name).collect::<Vec<_>>().into()
}
