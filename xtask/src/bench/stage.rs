//! One proxy set up and answering: its upstream on the load core, itself on the proxy core.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::bench::http::Client;
use crate::bench::peer::Peer;
use crate::bench::process::{Group, pinned};
use crate::upstream::BODY;
use crate::{Failure, Result};

/// The request of every measurement; the route strips `/api`.
pub(crate) const PATH: &str = "/api/hello";
/// What requests carry where there are plugins: the key of a consumer of `kong-plugins.yml`.
pub(crate) const KEY: &str = "apikey: bench-key-7";
/// The targets in every peer's config file.
const TARGETS: [u16; 2] = [19101, 19102];
/// How long a proxy may take to answer its first request.
const START: Duration = Duration::from_secs(10);

/// Which core does what.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    /// Runs the proxy and nothing else.
    pub(crate) proxy: usize,
    /// Runs the upstream and the load generator.
    pub(crate) load: usize,
}

/// What the upstream answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Origin {
    /// 1 KiB, always the same.
    Fixed,
    /// The request head as it came in.
    Echo,
}

/// A proxy that answers. Both programs end when it is dropped.
pub(crate) struct Stage {
    pub(crate) proxy: Group,
    upstream: Group,
    pub(crate) port: u16,
    pub(crate) cores: Cores,
    /// A folder of this proxy alone.
    pub(crate) run: PathBuf,
    /// A field that every request carries.
    pub(crate) field: Option<&'static str>,
}

impl Stage {
    /// Starts both and waits until the proxy answers.
    pub(crate) async fn open(
        peer: &Peer,
        root: &Path,
        cores: Cores,
        origin: Origin,
        field: Option<&'static str>,
    ) -> Result<Stage> {
        let program = peer.program(root).ok_or_else(|| peer.install())?;
        Stage::open_with(&program, peer, root, cores, origin, field).await
    }

    /// The same with another program in the place of the peer's.
    pub(crate) async fn open_with(
        program: &Path,
        peer: &Peer,
        root: &Path,
        cores: Cores,
        origin: Origin,
        field: Option<&'static str>,
    ) -> Result<Stage> {
        let run = root.join("target/bench").join(peer.name);
        fs::create_dir_all(&run).map_err(|error| format!("cannot create {}: {error}", run.display()))?;
        for port in TARGETS.into_iter().chain([peer.port]) {
            free(port).await?;
        }
        let upstream = start_upstream(cores, origin, &run)?;
        let mut command = pinned(cores.proxy, program);
        command.args(peer.arguments(root, &run)).current_dir(&run);
        let proxy = Group::start(command, &run.join("proxy.log"))?;
        let mut stage = Stage { proxy, upstream, port: peer.port, cores, run, field };
        stage.answers(origin).await.map_err(|error| format!("{}: {error}", peer.name))?;
        Ok(stage)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{PATH}", self.address())
    }

    pub(crate) async fn close(self) {
        self.proxy.stop().await;
        self.upstream.stop().await;
    }

    async fn answers(&mut self, origin: Origin) -> Result<()> {
        let start = Instant::now();
        loop {
            let tried = timeout(Duration::from_secs(2), self.tried(origin)).await;
            match tried.unwrap_or_else(|_| Err("no answer in time".into())) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > START => return Err(self.with_log(&error.to_string())),
                Err(_) => {}
            }
            if let Some(status) = self.proxy.ended()? {
                return Err(self.with_log(&format!("ended at once ({status})")));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A peer that is not set up as the others must not be measured at all.
    async fn tried(&self, origin: Origin) -> Result<()> {
        let mut client = Client::connect(self.address()).await?;
        let body = client.get_with(PATH, self.field).await?.ok()?.body.len();
        if origin == Origin::Fixed && body != BODY {
            return Err(format!("the body has {body} bytes, not {BODY}").into());
        }
        Ok(())
    }

    fn with_log(&self, problem: &str) -> Failure {
        let log = self.run.join("proxy.log");
        let printed = fs::read_to_string(&log).unwrap_or_default();
        format!("{problem}; {} says:\n{}", log.display(), printed.trim_end()).into()
    }
}

fn start_upstream(cores: Cores, origin: Origin, run: &Path) -> Result<Group> {
    let mut command = pinned(cores.load, std::env::current_exe()?);
    command.arg("upstream").arg("--ports").arg(TARGETS.map(|port| port.to_string()).join(","));
    if origin == Origin::Echo {
        command.arg("--echo");
    }
    Group::start(command, &run.join("upstream.log"))
}

/// Waits a moment for a port that a run before this one may still hold.
async fn free(port: u16) -> Result<()> {
    let start = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_secs(2) => {
                return Err(format!("port {port} is taken: {error}").into());
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}
