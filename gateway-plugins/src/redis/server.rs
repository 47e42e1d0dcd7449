//! A real server for tests, on a port of its own, that keeps nothing.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; it is killed at the end.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// Starts one; none, with a line that says so, where this machine has no `redis-server`. A CI machine must have
    /// one.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let port = own_port();
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let Some(child) = spawn(port, &arguments) else {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no redis-server: install the package");
            eprintln!("SKIPPED: no redis-server on this machine (package redis-server)");
            return None;
        };
        let server = Self { port, arguments, child };
        server.wait();
        Some(server)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it once more on the same port.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments).unwrap();
        self.wait();
    }

    /// A connection beside the gateway's.
    pub(crate) async fn other(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not start");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port for a server that is ended and started again: below those that the system hands out, so that nobody else is
/// given it meanwhile.
fn own_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 5_000).unwrap_or_default();
    loop {
        let port = 20_000 + (first + TAKEN.fetch_add(1, Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn spawn(port: u16, arguments: &[String]) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    // What comes last counts.
    command.args(arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}
