//! A PostgreSQL of the test's own.
//!
//! Where this machine has none (Debian's package `postgresql`) a test says that it is skipped; a CI machine must have it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not every test uses all; a test fails by panicking"
)]

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process_group};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own, on a free port of loopback.
pub(crate) struct Server {
    programs: PathBuf,
    path: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
    schemas: AtomicU32,
}

impl Server {
    /// Starts one; none, with a line that says so, where this machine has no PostgreSQL.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert_ne!(
                env::var("CI").as_deref(),
                Ok("true"),
                "no PostgreSQL: install the package postgresql"
            );
            eprintln!("SKIPPED: no PostgreSQL on this machine (package postgresql)");
            return None;
        };
        let port = own_port();
        let path = env::temp_dir().join(format!("gateway-postgres-{}-{port}", std::process::id()));
        fs::create_dir(&path).unwrap();
        given(&path);
        let (arguments, schemas) = (Vec::new(), AtomicU32::new(0));
        let mut server = Self { programs, path, arguments, port, child: None, schemas };
        let data = server.path.join("data");
        let mut initdb = server.program("initdb");
        initdb.args([
            "--auth=trust",
            "--username=gateway",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "-D",
        ]);
        let made = initdb.arg(data).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        server.run();
        Some(server)
    }

    /// A program of PostgreSQL; it refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        if let Some(user) = user() {
            command.uid(user);
        }
        command.current_dir(&self.path).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&mut self) {
        let end = Instant::now() + PATIENCE;
        self.child = Some(self.spawn());
        while !self.psql("SELECT 1") {
            assert!(Instant::now() < end, "the database is not ready");
            // After a kill the last of its processes may still hold the shared memory: then it refuses to start.
            let ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            if ended {
                self.child = Some(self.spawn());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&self) -> Child {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.path.join("data")).arg("-k").arg(&self.path);
        command.args(["-p", &self.port.to_string()]).args(&self.arguments);
        // Processes are killed here, not machines.
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=50"]);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path.join("log")).unwrap();
        command.process_group(0).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Ends all of it at once.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        // Its shared memory goes with the last process.
        until("it is gone", || !self.psql("SELECT 1"));
    }

    /// Starts it once more, with TLS.
    pub(crate) fn secure(&mut self, certificate: &str, key: &str) {
        self.kill();
        for (name, setting, text) in [("cert", "ssl_cert_file", certificate), ("key", "ssl_key_file", key)] {
            let file = self.path.join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            given(&file);
            self.arguments.extend(["-c".to_owned(), format!("{setting}={}", file.display())]);
        }
        self.arguments.extend(["-c".to_owned(), "ssl=on".to_owned()]);
        self.run();
    }

    pub(crate) fn psql(&self, text: &str) -> bool {
        let mut psql = self.program("psql");
        psql.args(["-qXAtc", text, &self.url("postgres")]);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn url(&self, schema: &str) -> String {
        format!("postgres://gateway@127.0.0.1:{}/postgres?options=-csearch_path%3D{schema}", self.port)
    }

    /// A place for a store of its own.
    pub(crate) fn schema(&self) -> String {
        let name = format!("s{}", self.schemas.fetch_add(1, Relaxed));
        assert!(self.psql(&format!("CREATE SCHEMA {name}")));
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
            child.wait().ok();
        }
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Whose it is that runs the server.
fn given(path: &Path) {
    if let Some(user) = user() {
        chown(path, Some(user), None).unwrap();
    }
}

/// Where the programs of PostgreSQL are: on the path, or where Debian puts those of each version.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let all = debian.chain(env::split_paths(&path));
    all.into_iter()
        .find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()))
}

/// Somebody else, where we are root.
fn user() -> Option<u32> {
    let users = || fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = |name: &str| {
        users().lines().find_map(|line| line.strip_prefix(name)?.split(':').nth(1)?.parse().ok())
    };
    geteuid().is_root().then(|| number("postgres:").or_else(|| number("nobody:")).unwrap())
}

#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
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
