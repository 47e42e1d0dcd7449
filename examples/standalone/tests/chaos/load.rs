//! Who writes, who reads, and who looks how long a change takes to be everywhere.

use std::{
    fmt,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    GATEWAYS,
    cluster::{ALWAYS, Cluster},
    kit::{Answer, until},
    model::Model,
};

/// Between two writes of one writer: all together make 100 a second.
const PACE: Duration = Duration::from_millis(10 * GATEWAYS as u64);

/// How many routes each writer has.
const ROUTES: usize = 40;

/// What has happened.
#[derive(Default)]
pub(crate) struct Figures {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    newest: AtomicU64,
    read: AtomicU64,
    cut: AtomicU64,
    gateways: AtomicU64,
    databases: AtomicU64,
    /// Milliseconds.
    slowest: AtomicU64,
}

impl Figures {
    pub(crate) fn gateway_killed(&self) {
        self.gateways.fetch_add(1, Relaxed);
    }

    pub(crate) fn database_killed(&self) {
        self.databases.fetch_add(1, Relaxed);
    }

    /// That enough has happened to say anything.
    #[track_caller]
    pub(crate) fn check(&self, seconds: u64) {
        let kills = (self.gateways.load(Relaxed), self.databases.load(Relaxed));
        assert!(kills.0 >= 1 && kills.1 >= 1, "{kills:?}");
        // A tenth of what is tried: databases that are away acknowledge nothing, busy machines little.
        let (written, read) = (self.acknowledged.load(Relaxed), self.read.load(Relaxed));
        assert!(written >= seconds * 10 && read >= seconds * 10, "{self}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [written, unknown, read, cut, gateways, databases, slowest] = [
            &self.acknowledged,
            &self.unknown,
            &self.read,
            &self.cut,
            &self.gateways,
            &self.databases,
            &self.slowest,
        ]
        .map(|figure| figure.load(Relaxed));
        write!(
            f,
            "{written} writes acknowledged, {unknown} not; {read} reads through proxies, {cut} cut with their gateway; \
             {gateways} gateways and {databases} databases killed; a write was everywhere after {slowest} ms at most"
        )
    }
}

/// Writes to one gateway, at its pace, until it is over.
pub(crate) fn write(cluster: &Cluster, number: usize, over: &AtomicBool, figures: &Figures) -> Model {
    let (mut model, mut next) = (Model::new(number), Instant::now());
    for count in 0_usize.. {
        if over.load(SeqCst) {
            break;
        }
        // Late ones are made up for, but not all of a break.
        let now = Instant::now();
        next = (next + PACE).max(now.checked_sub(Duration::from_secs(1)).unwrap_or(now));
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if !cluster.place(number).is_there() {
            continue;
        }
        let (route, version) = (count % ROUTES, count as u64);
        let path = format!("/routes/{}", model.name(route));
        let state = (count % 7 != 3).then_some(version);
        let answer = match state {
            Some(_) => cluster.write(number, "PUT", &path, &body(&model.name(route), version)),
            None => cluster.write(number, "DELETE", &path, ""),
        };
        match answer {
            Some(answer) if matches!(answer.status, 200 | 204) => {
                model.acknowledged(route, state);
                figures.acknowledged.fetch_add(1, Relaxed);
                figures.newest.fetch_max(revision(&answer).unwrap(), SeqCst);
            }
            Some(answer) if answer.status != 503 => panic!("{path}: {} {}", answer.status, answer.text),
            _ => {
                model.unknown(route, state);
                figures.unknown.fetch_add(1, Relaxed);
            }
        }
    }
    model
}

fn body(name: &str, version: u64) -> String {
    format!(r#"{{"paths":["/{name}"],"service":{{"name":"users"}},"tags":["{version}"]}}"#)
}

fn revision(answer: &Answer) -> Option<u64> {
    answer.head.lines().find_map(|line| line.strip_prefix("gateway-revision: "))?.parse().ok()
}

/// Reads through the proxy of one gateway: as long as it lives, every request is answered.
pub(crate) fn read(cluster: &Cluster, number: usize, over: &AtomicBool, figures: &Figures) {
    while !over.load(SeqCst) {
        thread::sleep(Duration::from_millis(2));
        let place = cluster.place(number);
        if !place.is_there() {
            continue;
        }
        let answer = cluster.get(number, ALWAYS);
        match answer.as_ref().map(|answer| (answer.status, answer.text.as_str())) {
            Some((200, "upstream")) => {
                figures.read.fetch_add(1, Relaxed);
            }
            answer => {
                assert!(cluster.place(number) != place, "gateway {number} lives, and answers {answer:?}");
                figures.cut.fetch_add(1, Relaxed);
            }
        }
    }
}

/// Looks again and again how long it takes until the newest acknowledged write is served by all.
pub(crate) fn watch(cluster: &Cluster, over: &AtomicBool, figures: &Figures) {
    while !over.load(SeqCst) {
        let (newest, began) = (figures.newest.load(SeqCst), Instant::now());
        let has =
            |number| cluster.write(number, "GET", "/status/ready", "").and_then(|answer| revision(&answer));
        until("all have it", || (0..GATEWAYS).all(|number| has(number) >= Some(newest)));
        let took = u64::try_from(began.elapsed().as_millis()).unwrap();
        figures.slowest.fetch_max(took, Relaxed);
        thread::sleep(Duration::from_millis(50));
    }
}
