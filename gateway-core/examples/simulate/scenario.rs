//! What happens, worked out with the parts that the gateway itself is made of.

use std::{ops::Range, time::Duration};

use gateway_core::{
    balance::{Balancer, Graded, HashRing, Maglev, Pick, Place, RoundRobin, SlowStart, hash, spill_over},
    config::Healthchecks,
    health::{Counter, Health, Judge, Outcome, Outliers, Recovery, Rounds},
    retry::{Budget, Hedge, Pace, Share as BudgetShare},
    split::{self, Comparison, Limits, Plan, Share, Side},
};

/// Requests a second.
pub(crate) const RATE: u64 = 400;
/// Pictures have a point for so many milliseconds.
pub(crate) const STEP: u64 = 500;

/// What happened.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Requests of each endpoint in each step.
    pub(crate) load: Vec<(&'static str, Vec<u64>)>,
    /// Whether each endpoint was left out at the end of each step.
    pub(crate) out: Vec<Vec<bool>>,
    /// The time that 99 of 100 answers stayed below in each step, in milliseconds.
    pub(crate) p99: Vec<u64>,
    /// Requests that failed in each step.
    pub(crate) failed: Vec<u64>,
}

/// An endpoint with its faults.
struct Server {
    name: &'static str,
    level: u32,
    faults: Vec<(Range<u64>, Fault)>,
}

#[derive(Clone, Copy)]
enum Fault {
    /// It refuses connections.
    Down,
    /// It takes so many times as long.
    Slow(u64),
    /// So many of a hundred answers are failures.
    Failing(u64),
}

impl Server {
    fn new(name: &'static str, level: u32) -> Self {
        Self { name, level, faults: Vec::new() }
    }

    /// The same with a fault in these seconds.
    fn with(mut self, seconds: Range<u64>, fault: Fault) -> Self {
        self.faults.push((seconds, fault));
        self
    }

    /// How it answers, and after how many milliseconds.
    fn answer(&self, now: u64, lots: &mut fastrand::Rng) -> (Outcome, u64) {
        // Most answers take 10 to 30 ms, one in three hundred ten times as long.
        let usual = lots.u64(10..30) * if lots.u64(..300) == 0 { 10 } else { 1 };
        match self.faults.iter().find(|(seconds, _)| seconds.contains(&(now / 1_000))) {
            Some((_, Fault::Down)) => (Outcome::TcpFailure, 1),
            Some((_, Fault::Slow(times))) => (Outcome::Status(200), usual * times),
            Some((_, Fault::Failing(percent))) if lots.u64(..100) < *percent => (Outcome::Status(500), usual),
            Some((_, Fault::Failing(_))) | None => (Outcome::Status(200), usual),
        }
    }
}

/// All scenarios, run.
pub(crate) fn all() -> Vec<Run> {
    vec![
        failover(),
        zones(),
        outlier(),
        outage(),
        canary(),
        mirror(),
        slow(None),
        slow(Some(Hedge::default())),
        hashing(Layout::Ring),
        hashing(Layout::Maglev),
    ]
}

/// Two of the three endpoints of the first group die and come back.
pub(crate) fn failover() -> Run {
    let servers = vec![
        Server::new("a", 1).with(10..30, Fault::Down),
        Server::new("b", 1).with(15..30, Fault::Down),
        Server::new("c", 1),
        Server::new("spare", 2),
    ];
    let slow_start = SlowStart { window: Duration::from_secs(10), ..SlowStart::default() };
    let mut world = World::new(servers, Some(slow_start), None);
    world.run(60);
    world.told("failover", "Two of three die for 20 s; a second group stands in, and they come back slowly")
}

/// A node of zone a, whose own endpoints die one after the other.
pub(crate) fn zones() -> Run {
    // Levels as an upstream numbers them: the own zone of the first group, then its others.
    let servers = vec![
        Server::new("a1", 2).with(10..50, Fault::Down),
        Server::new("a2", 2).with(25..40, Fault::Down),
        Server::new("b1", 3),
        Server::new("b2", 3),
    ];
    let mut world = World::new(servers, None, None);
    world.run(60);
    world.told(
        "zones",
        "The endpoints of the own zone die one after the other; the other zone takes what they cannot",
    )
}

/// One of six endpoints fails three times of ten for a while, and answers well in between.
pub(crate) fn outlier() -> Run {
    let mut servers: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| Server::new(name, 1)).into();
    servers[0].faults.push((15..35, Fault::Failing(30)));
    let mut world = World::new(servers, None, None);
    let outliers =
        Outliers { interval: Duration::from_secs(2), deviations: Some(1.9), ..Outliers::default() };
    world.outliers = Some(outliers);
    // Each time for longer: in between a trial finds it well seven times of ten.
    (world.recovery.base_ejection, world.recovery.max_ejection) =
        (Duration::from_secs(5), Duration::from_secs(10));
    world.run(60);
    world.told(
        "outlier",
        "One of six fails 3 times of 10; by its share of successes it is out until it answers well",
    )
}

/// All endpoints are down for a while; clients ask again within a budget.
pub(crate) fn outage() -> Run {
    let servers = ["a", "b", "c"].map(|name| Server::new(name, 1).with(20..30, Fault::Failing(100)));
    let mut world = World::new(servers.into(), None, None);
    world.retries = Some(BudgetShare::default());
    world.run(60);
    world.told("outage", "All fail for 10 s; a fifth of the requests may be repeated, and ten a second")
}

/// A fifth of the requests is copied to an endpoint that is slow, and later gone.
pub(crate) fn mirror() -> Run {
    let shadow = Server::new("shadow", 1).with(20..40, Fault::Slow(20)).with(40..60, Fault::Down);
    let mut world = World::new(vec![Server::new("real", 1), shadow], None, None);
    let copied = Share::percents(20.0);
    for number in 0..60 * RATE {
        let now = number * 1_000 / RATE;
        let (well, took) = world.ask(0, now);
        // What becomes of the copy nobody waits for.
        if copied.has(world.lots.u32(..)) {
            world.ask(1, now);
        }
        world.out[1] = false;
        world.note(now, well, took);
    }
    world.told("mirror", "A fifth is copied to one that is slow from 20 s on, and gone from 40 s on")
}

/// How hashes are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Ring,
    Maglev,
}

impl Layout {
    /// Over five endpoints of which these take requests.
    pub(crate) fn over(self, weights: &[u16]) -> Box<dyn Balancer> {
        let place =
            |(index, weight): (usize, &u16)| Place { name: format!("10.0.0.{index}::80"), weight: *weight };
        let all: Vec<_> = weights.iter().enumerate().map(|(index, _)| place((index, &100))).collect();
        match self {
            Self::Ring => Box::new(HashRing::new(&all, all.len(), 10_000, 1).with_weights(weights)),
            Self::Maglev => Box::new(Maglev::new(&all, 1).with_weights(weights)),
        }
    }
}

/// A thousand users who each keep their endpoint; one of five dies and comes back.
pub(crate) fn hashing(layout: Layout) -> Run {
    let mut servers: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| Server::new(name, 1)).into();
    servers[1].faults.push((20..40, Fault::Down));
    let mut world = World::new(servers, None, None);
    let (whole, without) = (layout.over(&[100; 5]), layout.over(&[100, 0, 100, 100, 100]));
    for number in 0..60 * RATE {
        let now = number * 1_000 / RATE;
        let user = hash(&world.lots.u64(..1_000).to_be_bytes());
        let balancer = if world.out[1] { &without } else { &whole };
        let picked = balancer.pick(&Pick::any(0).hashed(Some(user))).unwrap_or_default();
        let (well, took) = world.ask(picked, now);
        // Who is out is tried again by one request a second.
        if world.out[1] && number.is_multiple_of(RATE) && world.health[1].begin_trial(&world.recovery, now) {
            world.ask(1, now);
        }
        world.note(now, well, took);
    }
    match layout {
        Layout::Ring => world
            .told("ring", "A thousand users on Kong's ring; one of five dies, and only its own users move"),
        Layout::Maglev => world.told("maglev", "The same by Maglev's table"),
    }
}

/// One of three endpoints takes twenty times as long for a while.
pub(crate) fn slow(hedge: Option<Hedge>) -> Run {
    let servers =
        vec![Server::new("a", 1).with(20..40, Fault::Slow(20)), Server::new("b", 1), Server::new("c", 1)];
    let hedged = hedge.is_some();
    let mut world = World::new(servers, None, hedge);
    world.run(60);
    match hedged {
        true => world.told("slow-hedged", "One of three takes 20 times as long; 40 % may be asked twice"),
        false => world.told("slow", "One of three takes 20 times as long; nobody is asked twice"),
    }
}

/// A canary grows for half a minute; then a third of its answers fail.
pub(crate) fn canary() -> Run {
    let (stable, next) =
        (Server::new("stable", 1), Server::new("canary", 1).with(30..60, Fault::Failing(33)));
    let plan = Plan::Steps { start: 5, duration: 50, steps: 10 };
    let limits = Limits { errors: Some(5), window: 10_000, ..Limits::default() };
    let (mut comparison, mut broken_off) = (Comparison::default(), false);
    let mut world = World::new(vec![stable, next], None, None);
    for number in 0..60 * RATE {
        let now = number * 1_000 / RATE;
        let of_canary = !broken_off && plan.at(now / 1_000).has(world.lots.u32(..));
        let index = usize::from(of_canary);
        let (well, took) = world.ask(index, now);
        let side = if of_canary { Side::Canary } else { Side::Stable };
        let outcome = split::Outcome { failed: !well, took: Duration::from_millis(took) };
        broken_off |= comparison.add(&limits, side, outcome, now).is_some();
        world.note(now, well, took);
        world.out[1] = broken_off;
    }
    world.told(
        "canary",
        "A canary grows in steps; from 30 s on a third of its answers fail, and it is broken off",
    )
}

/// The step of a moment.
pub(crate) fn step_of(now: u64) -> usize {
    usize::try_from(now / STEP).unwrap_or(usize::MAX)
}

/// Endpoints, balanced and judged as an upstream does it.
struct World {
    servers: Vec<Server>,
    slow_start: Option<SlowStart>,
    hedge: Option<Hedge>,
    outliers: Option<Outliers>,
    rounds: Rounds,
    counters: Vec<Counter>,
    /// The budget of repetitions; none: as many as there are endpoints.
    retries: Option<BudgetShare>,
    repeated: Budget,
    judge: Judge,
    recovery: Recovery,
    health: Vec<Health>,
    /// Since when each is well.
    since: Vec<u64>,
    balancer: RoundRobin,
    laid_out: u64,
    pace: Pace,
    budget: Budget,
    lots: fastrand::Rng,
    out: Vec<bool>,
    load: Vec<Vec<u64>>,
    outs: Vec<Vec<bool>>,
    times: Vec<Vec<u64>>,
    failed: Vec<u64>,
}

impl World {
    fn new(servers: Vec<Server>, slow_start: Option<SlowStart>, hedge: Option<Hedge>) -> Self {
        let mut checks = Healthchecks::default();
        checks.passive.unhealthy.tcp_failures = 3;
        let mut recovery = Recovery::default();
        (recovery.base_ejection, recovery.max_ejection) = (Duration::from_secs(2), Duration::from_secs(6));
        let count = servers.len();
        let mut world = Self {
            servers,
            slow_start,
            hedge,
            outliers: None,
            rounds: Rounds::default(),
            counters: (0..count).map(|_| Counter::default()).collect(),
            retries: None,
            repeated: Budget::default(),
            judge: Judge::passive(&checks),
            recovery,
            health: vec![Health::default(); count],
            since: vec![0; count],
            balancer: RoundRobin::new(&[], 1),
            laid_out: 0,
            pace: Pace::default(),
            budget: Budget::default(),
            lots: fastrand::Rng::with_seed(7),
            out: vec![false; count],
            load: vec![Vec::new(); count],
            outs: vec![Vec::new(); count],
            times: Vec::new(),
            failed: Vec::new(),
        };
        // Long well before the first request.
        world.lay_out(1_000_000);
        world
    }

    fn run(&mut self, seconds: u64) {
        for number in 0..seconds * RATE {
            let now = number * 1_000 / RATE;
            // Those who warm up come to their shares in steps.
            if now >= self.laid_out + 500 {
                self.lay_out(now);
            }
            let (well, took) = self.request(now);
            self.note(now, well, took);
        }
    }

    /// One request with up to two repetitions, each at another endpoint.
    fn request(&mut self, now: u64) -> (bool, u64) {
        let mut tried = Vec::new();
        let mut all = 0;
        if let Some(share) = &self.retries {
            self.repeated.deposit(share, now);
        }
        for number in 0..3 {
            let repeated = self.retries.filter(|_| number > 0);
            if repeated.is_some_and(|share| !self.repeated.withdraw(&share, now)) {
                break;
            }
            let Some(index) = self.pick(now, &tried) else { break };
            let (well, took) = self.ask_twice(index, now);
            all += took;
            if well {
                return (true, all);
            }
            tried.push(index);
        }
        (false, all)
    }

    fn pick(&mut self, now: u64, tried: &[usize]) -> Option<usize> {
        let due = |index: &usize| {
            !tried.contains(index) && self.health[*index].trial_at().is_some_and(|at| at <= now)
        };
        if let Some(index) = (0..self.servers.len()).find(due) {
            self.health[index].begin_trial(&self.recovery, now);
            return Some(index);
        }
        let excluded = |index: usize| tried.contains(&index);
        self.balancer.pick(&Pick::but(0, &excluded))
    }

    /// A try, and a second one beside it where that is due.
    fn ask_twice(&mut self, index: usize, now: u64) -> (bool, u64) {
        let (well, mut took) = self.ask(index, now);
        let share = BudgetShare { percent: 40, per_second: 1 };
        self.budget.deposit(&share, now);
        let delay = self.hedge.as_ref().and_then(|hedge| self.pace.delay(hedge));
        let delay = delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        if let Some(delay) = delay.filter(|delay| well && took > *delay)
            && let Some(other) = self.pick(now, &[index])
            && self.budget.withdraw(&share, now)
        {
            let (second, later) = self.ask(other, now);
            took = if second { took.min(delay + later) } else { took };
        }
        self.pace.add(Duration::from_millis(took), now);
        (well, took)
    }

    fn ask(&mut self, index: usize, now: u64) -> (bool, u64) {
        let step = step_of(now);
        let load = &mut self.load[index];
        load.resize(load.len().max(step + 1), 0);
        load[step] += 1;
        let (outcome, took) = self.servers[index].answer(now, &mut self.lots);
        let well = outcome == Outcome::Status(200);
        self.counters[index].add(!well);
        let before = self.health[index].state().is_available();
        self.health[index].report(self.judge.count(outcome), Some(&self.recovery), now);
        let after = self.health[index].state().is_available();
        if before != after {
            self.since[index] = if after { now } else { self.since[index] };
            self.lay_out(now);
        }
        self.eject_outliers(now);
        (well, took)
    }

    fn eject_outliers(&mut self, now: u64) {
        let Some(outliers) = self.outliers else { return };
        // The clock's zero stands for "never".
        if !self.rounds.is_over(u64::try_from(outliers.interval.as_millis()).unwrap_or(u64::MAX), now + 1) {
            return;
        }
        let well = self.health.iter().map(|health| health.state().is_available());
        let tally =
            |(counter, well): (&Counter, bool)| Some(counter.take()).filter(|_| well).unwrap_or_default();
        let tallies: Vec<_> = self.counters.iter().zip(well).map(tally).collect();
        for index in outliers.find(&tallies) {
            self.health[index].eject_outlier(Some(&self.recovery), now);
        }
        self.lay_out(now);
    }

    fn lay_out(&mut self, now: u64) {
        let graded = |index: usize| {
            let readiness = self.slow_start.map_or(1.0, |slow| match self.since[index] {
                0 => 1.0,
                since => slow.readiness(now - since),
            });
            let well = self.health[index].state().is_available();
            Graded {
                weight: 100,
                level: self.servers[index].level,
                readiness: if well { readiness } else { 0.0 },
            }
        };
        let graded: Vec<_> = (0..self.servers.len()).map(graded).collect();
        self.out = graded.iter().map(|it| it.readiness <= 0.0).collect();
        self.balancer = self.balancer.with_weights(&spill_over(&graded));
        self.laid_out = now % 1_000_000;
    }

    fn note(&mut self, now: u64, well: bool, took: u64) {
        let step = step_of(now);
        self.times.resize(self.times.len().max(step + 1), Vec::new());
        self.failed.resize(self.failed.len().max(step + 1), 0);
        self.times[step].push(took);
        self.failed[step] += u64::from(!well);
        for (out, outs) in self.out.iter().zip(&mut self.outs) {
            outs.resize(step + 1, false);
            outs[step] = *out;
        }
    }

    fn told(self, name: &'static str, title: &'static str) -> Run {
        let steps = self.times.len();
        let mut load = self.load;
        load.iter_mut().for_each(|load| load.resize(steps, 0));
        let p99 = |mut times: Vec<u64>| {
            times.sort_unstable();
            times.get(times.len() * 99 / 100).copied().unwrap_or(0)
        };
        Run {
            name,
            title,
            load: self.servers.iter().map(|server| server.name).zip(load).collect(),
            out: self.outs,
            p99: self.times.into_iter().map(p99).collect(),
            failed: self.failed,
        }
    }
}
