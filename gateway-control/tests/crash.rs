//! A process that writes is killed at any moment: no change that was acknowledged is lost, and the store opens.
//!
//! `CRASHES=1000` makes it a thousand rounds in place of forty.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod store;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
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
        (Some(directory), Some(_)) => {
            let directory = Path::new(&directory);
            say(*Embedded::open(directory).unwrap().newest().borrow());
            write(directory, come_and_gone, 10);
        }
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

/// The same for a file that is made shorter again and again, killed while it is.
///
/// A change that puts in everything makes `copy.jsonl` anew, then the file is made shorter, then the change is said. So a
/// process that is killed once the copy is another one, and has not said what is kept, was cut off between the two. How long
/// that takes is measured first, and the kills are spread over it.
fn crash_large(rounds: u32) {
    let directory = Directory::new();
    // The least of three: one that was held up would spread the kills too far.
    let whole = (0..3).map(|_| time_of_shortening(directory.path())).min().unwrap_or_default();
    let (mut cut, mut left_long) = (0, 0);
    for round in 0..rounds {
        let mut process = large(directory.path());
        process.wait_for_copy();
        thread::sleep(whole * round / rounds);
        let said = process.kill();
        let before = length(directory.path());
        let store = Embedded::open(directory.path()).unwrap();
        let stored = store.read().unwrap();
        assert!(stored.revision >= said, "round {round}: {said} was acknowledged");
        let services = if stored.revision.get() % 2 == 1 { 10_000 } else { 0 };
        assert_eq!(stored.config.services.len(), services, "round {round}");
        let log = store.since(Revision::NONE, usize::MAX).unwrap();
        assert_eq!(log.last().map(|entry| entry.revision), Some(stored.revision), "round {round}");
        cut += u32::from(services > 0 && stored.revision > said);
        left_long += u32::from(length(directory.path()) < before);
    }
    println!(
        "{rounds} kills in {whole:?} after a large change: {cut} before it was said, {left_long} left a file to be shortened, none lost"
    );
    assert!(cut * 3 >= rounds, "only {cut} of {rounds} were killed while the file was made shorter");
}

/// From the copy of the second large change to its end; the first one finds little to shorten.
fn time_of_shortening(directory: &Path) -> Duration {
    let mut process = large(directory);
    process.wait_for_copy();
    process.wait_for(2);
    process.wait_for_copy();
    let begun = Instant::now();
    process.wait_for(3);
    process.kill();
    begun.elapsed()
}

fn length(directory: &Path) -> u64 {
    fs::metadata(directory.join("store.redb")).unwrap().len()
}

/// A process that makes large changes, and says each; first, what it has found.
struct Large {
    process: Process,
    copy: PathBuf,
    /// The copy's file when it was looked at last.
    seen: u64,
    said: Revision,
}

fn large(directory: &Path) -> Large {
    let mut command = process(directory);
    command.env(LARGE, "");
    let copy = directory.join("copy.jsonl");
    let mut large = Large { process: Process::start(command), copy, seen: 0, said: Revision::NONE };
    large.said = large.process.line();
    large.seen = large.copy_is();
    large
}

impl Large {
    fn copy_is(&self) -> u64 {
        fs::metadata(&self.copy).unwrap().ino()
    }

    fn wait_for_copy(&mut self) {
        let begun = Instant::now();
        while self.copy_is() == self.seen {
            assert!(begun.elapsed() < PATIENCE, "no large change");
            thread::sleep(Duration::from_millis(1));
        }
        self.seen = self.copy_is();
    }

    fn wait_for(&mut self, revision: u64) {
        while self.said < Revision::new(revision) {
            self.said = self.process.line();
        }
    }

    /// What it had acknowledged.
    fn kill(self) -> Revision {
        self.process.kill().max(self.said)
    }
}

/// Writes, and says each revision once it is kept. Ends by itself if nobody kills it.
fn write(directory: &Path, change: fn(Revision) -> Change, most: u32) {
    let store = Embedded::open(directory).unwrap();
    let mut newest = *store.newest().borrow();
    for _ in 0..most {
        newest = store.write(newest, &change(newest.next()), &Note::new("crash", "count")).unwrap();
        say(newest);
    }
}

fn say(revision: Revision) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{revision}").and_then(|()| out.flush()).unwrap();
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
fn killed(command: Command, from: From, after: Duration) -> Revision {
    let process = Process::start(command);
    let first = match from {
        From::Start => Revision::NONE,
        From::FirstChange => process.line(),
    };
    thread::sleep(after);
    process.kill().max(first)
}

/// A process that writes, and says what it has.
struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, lines: receiver }
    }

    fn line(&self) -> Revision {
        self.lines.recv_timeout(PATIENCE).unwrap().parse().unwrap()
    }

    /// What else it had acknowledged.
    fn kill(mut self) -> Revision {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The pipe ends with the process.
        self.lines.iter().filter_map(|line| line.parse().ok()).max().unwrap_or_default()
    }
}
