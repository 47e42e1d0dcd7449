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

/// Writes that are due in a second, whatever becomes of those before them.
pub(crate) const RATE: u64 = 100;

/// Who make them. So many are under way at a time where the gateways are slower than that.
pub(crate) const WRITERS: usize = 24;

/// How many routes each writer has.
const ROUTES: usize = 5;

/// What has happened.
#[derive(Default)]
pub(crate) struct Figures {
    due: AtomicU64,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    newest: AtomicU64,
    read: AtomicU64,
    cut: AtomicU64,
    gateways: AtomicU64,
    databases: AtomicU64,
    /// Milliseconds that the database was away, all together; what follows is in milliseconds, too.
    away: AtomicU64,
    slowest: AtomicU64,
    /// How long after its time the latest write was answered.
    latest: AtomicU64,
}

impl Figures {
    pub(crate) fn gateway_killed(&self) {
        self.gateways.fetch_add(1, Relaxed);
    }

    pub(crate) fn database_killed(&self, away: Duration) {
        self.databases.fetch_add(1, Relaxed);
        self.away.fetch_add(u64::try_from(away.as_millis()).unwrap(), Relaxed);
    }

    /// That enough has happened to say anything.
    #[track_caller]
    pub(crate) fn check(&self, seconds: u64) {
        let kills = (self.gateways.load(Relaxed), self.databases.load(Relaxed));
        assert!(kills.0 >= 1 && kills.1 >= 1, "{kills:?}");
        let [due, written, unknown, read] =
            [&self.due, &self.acknowledged, &self.unknown, &self.read].map(|figure| figure.load(Relaxed));
        assert_eq!((due, written + unknown), (seconds * RATE, due), "each is made and answered for: {self}");
        // A fifth: databases that are away acknowledge nothing.
        assert!(written >= due / 5 && read >= seconds * 10, "{self}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [due, written, unknown, read, cut, gateways, databases, away, slowest, latest] = [
            &self.due,
            &self.acknowledged,
            &self.unknown,
            &self.read,
            &self.cut,
            &self.gateways,
            &self.databases,
            &self.away,
            &self.slowest,
            &self.latest,
        ]
        .map(|figure| figure.load(Relaxed));
        write!(
            f,
            "{due} writes, {written} acknowledged, {unknown} not, the latest {latest} ms after its time; \
             {read} reads through proxies, {cut} cut with their gateway; \
             {gateways} gateways and {databases} times the database killed, which was away for {away} ms; a write was everywhere after {slowest} ms at most"
        )
    }
}

/// Makes its share of the writes, each at its time or as soon as those before are answered: none is left out.
pub(crate) fn write(cluster: &Cluster, number: usize, seconds: u64, figures: &Figures) -> Model {
    let (mut model, began) = (Model::new(number), Instant::now());
    for (count, turn) in (0..seconds * RATE).skip(number).step_by(WRITERS).enumerate() {
        let due = began + Duration::from_secs(turn) / u32::try_from(RATE).unwrap();
        thread::sleep(due.saturating_duration_since(Instant::now()));
        figures.due.fetch_add(1, Relaxed);
        let (route, version) = (count % ROUTES, count as u64);
        let path = format!("/routes/{}", model.name(route));
        let state = (count % 7 != 3).then_some(version);
        // As a load balancer has it: one of those that are there.
        let gateway = cluster.living(usize::try_from(turn).unwrap());
        let answer = match state {
            Some(_) => cluster.write(gateway, "PUT", &path, &body(&model.name(route), version)),
            None => cluster.write(gateway, "DELETE", &path, ""),
        };
        figures.latest.fetch_max(milliseconds(due), Relaxed);
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

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap()
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
        figures.slowest.fetch_max(milliseconds(began), Relaxed);
        thread::sleep(Duration::from_millis(50));
    }
}
