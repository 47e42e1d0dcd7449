//! The store in PostgreSQL, against a real one that the test starts, kills and starts again.
//!
//! Without PostgreSQL on this machine (Debian's package `postgresql`) the tests say that they are skipped; a CI machine
//! must have it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod store;

use std::{
    cell::RefCell,
    env, fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use gateway_control::store::{Note, Postgres, Revision, Store, StoreError};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use store::{Directory, behaves, count, counted};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own, on a free port of loopback.
struct Server {
    programs: PathBuf,
    directory: Directory,
    port: u16,
    child: Option<Child>,
    schemas: AtomicU32,
}

impl Server {
    /// Starts one; none, with a line that says so, where this machine has no PostgreSQL.
    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert_ne!(
                env::var("CI").as_deref(),
                Ok("true"),
                "no PostgreSQL: install the package postgresql"
            );
            eprintln!("SKIPPED: no PostgreSQL on this machine (package postgresql)");
            return None;
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let directory = Directory::new();
        if let Some(user) = user() {
            chown(directory.path(), Some(user), None).unwrap();
        }
        let mut server = Self { programs, directory, port, child: None, schemas: AtomicU32::new(0) };
        let data = server.directory.path().join("data");
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
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    fn run(&mut self) {
        let path = self.directory.path();
        let mut command = self.program("postgres");
        command.arg("-D").arg(path.join("data")).arg("-k").arg(path).args(["-p", &self.port.to_string()]);
        // Processes are killed here, not machines.
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=50"]);
        let log = fs::OpenOptions::new().create(true).append(true).open(path.join("log")).unwrap();
        self.child = Some(command.process_group(0).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        until("the database is ready", || self.psql("SELECT 1"));
    }

    /// Ends all of it at once.
    fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        // Its shared memory goes with the last process.
        until("it is gone", || !self.psql("SELECT 1"));
    }

    fn psql(&self, text: &str) -> bool {
        let mut psql = self.program("psql");
        psql.args(["-qXAtc", text, &self.url("postgres")]);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn url(&self, schema: &str) -> String {
        format!("postgres://gateway@127.0.0.1:{}/postgres?options=-csearch_path%3D{schema}", self.port)
    }

    /// A place for a store of its own.
    fn schema(&self) -> String {
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
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn write(store: &Postgres) -> Result<Revision, StoreError> {
    let newest = *store.newest().borrow();
    store.write(newest, &counted(newest.next()), &Note::new("test", "count"))
}

#[test]
fn it_behaves_and_so_does_the_next_process() {
    let Some(server) = Server::start() else { return };
    let places = RefCell::new(Vec::new());
    let fresh = || {
        let (url, directory) = (server.schema(), Directory::new());
        let store = Postgres::open(&url, directory.path()).unwrap();
        places.borrow_mut().push((url, directory));
        store
    };
    let again = |store| {
        drop(store);
        let places = places.borrow();
        let (url, directory) = places.last().unwrap();
        Postgres::open(url, directory.path()).unwrap()
    };
    behaves(16, fresh, again);
}

#[test]
fn what_one_gateway_writes_the_others_hear() {
    let Some(server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let [one, other] = [0, 1].map(|number| Postgres::open(&url, directories[number].path()).unwrap());
    for number in 1..=20 {
        let writer = if number % 2 == 0 { &one } else { &other };
        let revision = Revision::new(number);
        assert_eq!(write(writer).unwrap(), revision);
        until("both know", || [&one, &other].iter().all(|store| *store.newest().borrow() == revision));
    }
    assert_eq!(one.read().unwrap(), other.read().unwrap());
    assert_eq!(one.read().unwrap().config, count(Revision::new(20)));
    let late =
        one.write(Revision::new(19), &counted(Revision::new(7)), &Note::new("test", "late")).unwrap_err();
    assert!(matches!(late, StoreError::Conflict { newest } if newest == Revision::new(20)), "{late}");
}

#[test]
fn with_the_database_away_it_goes_on_with_its_copy_and_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let (url, directories) = (server.schema(), [Directory::new(), Directory::new()]);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    (1..=5).for_each(|number| assert_eq!(write(&store).unwrap(), Revision::new(number)));
    let stored = store.read().unwrap();
    assert_eq!(stored.revision, Revision::new(5));
    // The copy is written behind the answer.
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    server.kill();

    until("it is noticed", || matches!(write(&store), Err(StoreError::Unavailable(_))));
    assert_eq!(store.read().unwrap(), stored, "what was kept last");
    let second = Postgres::open(&url, directories[1].path()).unwrap_err();
    assert!(
        matches!(second, StoreError::Unavailable(_)),
        "without a copy there is nothing to serve: {second}"
    );
    drop(store);
    let store = Postgres::open(&url, directories[0].path()).unwrap();
    assert_eq!(store.read().unwrap(), stored, "a start without the database");
    assert_eq!(*store.newest().borrow(), stored.revision);

    server.run();
    let second = Postgres::open(&url, directories[1].path()).unwrap();
    assert_eq!(write(&second).unwrap(), Revision::new(6), "nothing was lost");
    until("it has heard of it", || *store.newest().borrow() == Revision::new(6));
    assert_eq!(store.since(stored.revision, 9).unwrap().len(), 1);
    until("it writes again", || write(&store).is_ok());
    assert_eq!(store.read().unwrap().config, count(Revision::new(7)));
}

#[test]
fn writers_beside_each_other_lose_nothing_while_the_database_is_killed() {
    let Some(mut server) = Server::start() else { return };
    let url = server.schema();
    let end = Instant::now() + Duration::from_secs(6);
    let writer = |url: String| {
        thread::spawn(move || {
            let directory = Directory::new();
            let store = Postgres::open(&url, directory.path()).unwrap();
            let mut acknowledged = Vec::new();
            while Instant::now() < end {
                match write(&store) {
                    Ok(revision) => acknowledged.push(revision),
                    Err(StoreError::Conflict { .. } | StoreError::Unavailable(_)) => {
                        thread::sleep(Duration::from_millis(5));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            acknowledged
        })
    };
    let writers = [0; 3].map(|_| writer(url.clone()));
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(1500));
        server.kill();
        server.run();
    }
    let acknowledged: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    assert!(acknowledged.len() > 20, "hardly anything was written: {}", acknowledged.len());
    let mut each = acknowledged.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), acknowledged.len(), "two writers got the same revision");

    let directory = Directory::new();
    let stored = Postgres::open(&url, directory.path()).unwrap().read().unwrap();
    assert!(stored.revision >= *each.last().unwrap(), "an acknowledged change is lost");
    assert_eq!(stored.config, count(stored.revision));
}

#[test]
fn what_is_no_address_of_a_database_is_told() {
    let directory = Directory::new();
    for url in ["mysql://a/b", "postgres://127.0.0.1:1/none", ""] {
        let refused = Postgres::open(url, directory.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{url}: {refused}");
    }
}
