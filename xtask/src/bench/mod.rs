//! The end-to-end bench: this gateway beside its peers, in turns, on one core.
//!
//! A turn starts one proxy, measures it and ends it. The rounds are interleaved (a b c, a b c, ...), so a busy
//! neighbour disturbs all alike, and ratios are taken within a round. `benches/README.md` explains the figures.

mod goals;
mod headers;
pub(crate) mod http;
mod machine;
mod measure;
mod peer;
mod plot;
mod proc;
mod process;
mod report;
mod stage;
pub(crate) mod stats;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use tokio::process::Command;

use crate::Result;
use machine::Machine;
use measure::{Kind, Load, Measurement};
use peer::{PEERS, Peer};
use report::{Report, Series};
use stage::{Cores, Origin, Stage};

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
    #[arg(long, default_value = "gateway", value_parser = names())]
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
            subject: self.subject.clone(),
            series,
            skipped,
            machine: Machine::this(),
            setting: self.setting(measurement),
        };
        println!("{}\n{}", report.table(), report.goals().join("\n"));
        if self.quick { Ok(()) } else { self.write(&root, &report).await }
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
            PEERS.iter().filter(asked).partition(|peer| peer.program(root).is_some());
        let missing: Vec<String> =
            missing.iter().map(|peer| format!("{} is not here: {}", peer.name, peer.install())).collect();
        // Where a peer was asked for by name, a green run without it would be a lie.
        if std::env::var_os("CI").is_some() && !self.peers.is_empty() && !missing.is_empty() {
            return Err(missing.join("\n").into());
        }
        if here.is_empty() {
            return Err("no proxy to measure".into());
        }
        Ok((here, missing))
    }

    async fn headers(&self, root: &Path, peers: &[&'static Peer]) -> Result<()> {
        let mut problems = Vec::new();
        for peer in peers {
            let stage = Stage::open(peer, root, self.cores(), Origin::Echo).await?;
            let checked = headers::check(peer, &stage).await;
            stage.close().await;
            problems.extend(checked.err().map(|error| error.to_string()));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }

    /// All rounds of all peers. A peer that fails is left out from then on; the subject must not fail.
    async fn rounds(
        &self,
        root: &Path,
        mut peers: Vec<&'static Peer>,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<Series>> {
        let mut series = Vec::new();
        for peer in &peers {
            let version = peer.version(root).await?;
            series.push(Series { name: peer.name, version, rounds: Vec::new() });
        }
        for round in 1..=self.round_count() {
            for peer in std::mem::take(&mut peers) {
                eprintln!("round {round} of {}: {}", self.round_count(), peer.name);
                match self.turn(peer, root).await {
                    Ok(figures) => {
                        peers.push(peer);
                        if let Some(own) = series.iter_mut().find(|series| series.name == peer.name) {
                            own.rounds.push(figures);
                        }
                    }
                    Err(error) if peer.name == self.subject => return Err(error),
                    Err(error) => {
                        eprintln!("left out: {} failed: {error}", peer.name);
                        skipped.push(format!("{} failed in round {round}: {error}", peer.name));
                        series.retain(|series| series.name != peer.name);
                    }
                }
            }
        }
        Ok(series)
    }

    async fn turn(&self, peer: &Peer, root: &Path) -> Result<Vec<f64>> {
        let stage = Stage::open(peer, root, self.cores(), Origin::Fixed).await?;
        let figures = self.kind.turn(&stage, self.load()).await;
        stage.close().await;
        figures
    }

    fn cores(&self) -> Cores {
        Cores { proxy: self.proxy_core, load: self.load_core }
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

    fn setting(&self, measurement: &Measurement) -> String {
        let Load { connections, time, .. } = self.load();
        format!(
            "{}: {} rounds, {connections} connections, {} s a turn; one worker on core {}, upstream and load \
             generator on core {}. Median [min-max] of the rounds; the last column is {} against the proxy of \
             the row in {}, taken within each round.",
            measurement.title,
            self.round_count(),
            time.as_secs(),
            self.proxy_core,
            self.load_core,
            self.subject,
            measurement.columns.get(measurement.key).map_or("", |column| column.title),
        )
    }

    async fn write(&self, root: &Path, report: &Report) -> Result<()> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => format!("{}-{}", today().await?, self.word()),
        };
        let folder = root.join("benches/results");
        fs::create_dir_all(&folder)?;
        let plot = format!("{name}.svg");
        save(&folder.join(&plot), &plot::svg(report))?;
        save(&folder.join(format!("{name}.md")), &report.page(&plot))
    }

    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Load => "load",
            Kind::P99 => "p99",
            Kind::Syscalls => "syscalls",
            Kind::Idle => "idle",
            Kind::Headers => "headers",
        }
    }
}

fn names() -> clap::builder::PossibleValuesParser {
    PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>().into()
}

fn save(path: &PathBuf, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// The date as 2026-01-31, in UTC.
async fn today() -> Result<String> {
    let mut date = Command::new("date");
    date.args(["-u", "+%F"]);
    Ok(process::output(date, Duration::from_secs(5)).await?.trim().to_owned())
}
