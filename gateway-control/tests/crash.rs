//! A process that writes is killed at any moment: no change that was acknowledged is lost, and the store opens.
//!
//! `CRASHES=1000` makes it a thousand rounds in place of forty.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod store;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use gateway_control::store::{Embedded, Note, Revision, Store};
use gateway_core::config::{Change, Service};
use store::{Directory, count, counted};

/// Longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Set for the process that is killed, and what it writes.
const DIRECTORY: &str = "GATEWAY_CRASH_DIRECTORY";
const LARGE: &str = "GATEWAY_CRASH_LARGE";

fn main() {
    match (env::var_os(DIRECTORY), env::var_os(LARGE)) {
        (Some(directory), None) => write(Path::new(&directory), counted, 10_000),
        (Some(directory), Some(_)) => write(Path::new(&directory), come_and_gone, 10),
        (None, _) => {
            let rounds: u32 = env::var("CRASHES").map_or(40, |rounds| rounds.parse().unwrap());
            crash(rounds);
            crash_large(rounds.div_ceil(8));
        }
    }
}

/// Many entities with each odd revision, none with the others: most of the file is empty then, and it is made shorter.
fn come_and_gone(revision: Revision) -> Change {
    let mut change = Change::default();
    for number in 0..10_000 {
        let service = Service::new(&format!("service-{number}"), "users.internal");
        change.services.insert(service.id, (revision.get() % 2 == 1).then(|| service.into()));
    }
    change
}

/// The same for a file that is made shorter again and again.
fn crash_large(rounds: u32) {
    let directory = Directory::new();
    let mut acknowledged = Revision::NONE;
    for round in 0..rounds {
        let after = Duration::from_millis(u64::from(round) * 457 % 2_000);
        let mut process = process(directory.path());
        process.env(LARGE, "");
        acknowledged = killed(process, From::FirstChange, after).max(acknowledged);
        let store = Embedded::open(directory.path()).unwrap();
        let stored = store.read().unwrap();
        assert!(stored.revision >= acknowledged, "round {round}: {acknowledged} was acknowledged");
        let services = if stored.revision.get() % 2 == 1 { 10_000 } else { 0 };
        assert_eq!(stored.config.services.len(), services, "round {round}");
        let last = store.since(Revision::NONE, usize::MAX).unwrap();
        assert_eq!(last.last().map(|entry| entry.revision), Some(stored.revision), "round {round}");
        acknowledged = stored.revision;
    }
    println!("{rounds} crashes with large changes, {acknowledged} changes, none lost");
}

/// Writes, and says each revision once it is kept. Ends by itself if nobody kills it.
fn write(directory: &Path, change: fn(Revision) -> Change, most: u32) {
    let store = Embedded::open(directory).unwrap();
    let mut newest = *store.newest().borrow();
    for _ in 0..most {
        newest = store.write(newest, &change(newest.next()), &Note::new("crash", "count")).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{newest}").and_then(|()| out.flush()).unwrap();
    }
}

fn crash(rounds: u32) {
    let directory = Directory::new();
    let mut acknowledged = Revision::NONE;
    for round in 0..rounds {
        // Every fourth time from the very start, else from the first change on; the same waits each time.
        let from = if round % 4 == 0 { From::Start } else { From::FirstChange };
        let after = Duration::from_micros(u64::from(round) * 7_919 % 40_000);
        acknowledged = killed(process(directory.path()), from, after).max(acknowledged);
        let store = Embedded::open(directory.path()).unwrap();
        let stored = store.read().unwrap();
        let revision = stored.revision;
        assert!(
            revision >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {revision} is kept"
        );
        assert_eq!(stored.config, count(revision), "round {round}");
        let log = store.since(Revision::NONE, usize::MAX).unwrap();
        assert_eq!(log.last().map_or(Revision::NONE, |entry| entry.revision), revision, "round {round}");
        assert!(log.windows(2).all(|pair| pair[0].revision.next() == pair[1].revision), "round {round}");
        acknowledged = revision;
    }
    assert!(
        acknowledged >= Revision::new(u64::from(rounds / 2)),
        "hardly anything was written: {acknowledged}"
    );
    println!("{rounds} crashes, {acknowledged} changes, none lost");
}

/// This program, to write into `directory`.
fn process(directory: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(DIRECTORY, directory).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What the wait before a kill begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Start,
    FirstChange,
}

/// Starts a process that writes, kills it, and tells what it had acknowledged.
fn killed(mut process: Command, from: From, after: Duration) -> Revision {
    let mut child = process.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    let first = match from {
        From::Start => None,
        From::FirstChange => Some(receiver.recv_timeout(PATIENCE).unwrap()),
    };
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    // The pipe ends with the process.
    let said = first.into_iter().chain(receiver.iter());
    said.filter_map(|line| line.parse().ok()).max().unwrap_or_default()
}
