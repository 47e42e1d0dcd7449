//! What happens, worked out with the parts that the gateway itself is made of.

use std::{ops::Range, time::Duration};

use gateway_core::{
    balance::{Balancer, Graded, Pick, RoundRobin, SlowStart, spill_over},
    config::Healthchecks,
    health::{Health, Judge, Outcome, Recovery},
    retry::{Budget, Hedge, Pace, Share as BudgetShare},
    split::{self, Comparison, Limits, Plan, Side},
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

    /// How it answers: whether well, and after how many milliseconds.
    fn answer(&self, now: u64, lots: &mut fastrand::Rng) -> (bool, u64) {
        // Most answers take 10 to 30 ms, one in three hundred ten times as long.
        let usual = lots.u64(10..30) * if lots.u64(..300) == 0 { 10 } else { 1 };
        match self.faults.iter().find(|(seconds, _)| seconds.contains(&(now / 1_000))) {
            Some((_, Fault::Down)) => (false, 1),
            Some((_, Fault::Slow(times))) => (true, usual * times),
            Some((_, Fault::Failing(percent))) => (lots.u64(..100) >= *percent, usual),
            None => (true, usual),
        }
    }
}

/// All scenarios, run.
pub(crate) fn all() -> Vec<Run> {
    vec![failover(), canary(), slow(None), slow(Some(Hedge::default()))]
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
        for _ in 0..3 {
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
        let (well, took) = self.servers[index].answer(now, &mut self.lots);
        let outcome = if well { Outcome::Status(200) } else { Outcome::TcpFailure };
        let before = self.health[index].state().is_available();
        self.health[index].report(self.judge.count(outcome), Some(&self.recovery), now);
        let after = self.health[index].state().is_available();
        if before != after {
            self.since[index] = if after { now } else { self.since[index] };
            self.lay_out(now);
        }
        (well, took)
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
