//! Limits in Redis, that all nodes count in.

use std::{
    fmt::Write,
    sync::{Arc, LazyLock},
};

use plugin_contract::ratelimit::{Algorithm, Limiter, Period};
use redis::{Script, ScriptInvocation};
use uuid::Uuid;

use super::{
    Checked, RateLimit, Scope, calendar,
    rule::{Cell, Rule},
    verdict::{Rules, Verdict, wanted},
};
use crate::{clock, redis::Client};

/// Each of them decides about all windows at once, and answers 1 or 0 and what has been counted.
static FIXED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("fixed.lua")));
static SLIDING: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("sliding.lua")));
static PACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("pace.lua")));

/// Lua's numbers are exact up to here.
const EXACT: u64 = 1 << 53;

/// A limiter whose counters lie in Redis. The nodes' clocks say which window it is, as in Kong.
#[derive(Clone, Debug)]
pub(super) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Arc<Client>,
    /// What all keys begin with.
    prefix: String,
    rules: Rules,
}

impl Remote {
    /// None where the numbers of a window are larger than Redis can count.
    pub(super) fn new(
        client: Arc<Client>,
        limiter: &Limiter<'_>,
        scope: Scope<'_>,
        rules: Rules,
    ) -> Option<Self> {
        let fits = |rule: &Rule| match rule.algorithm {
            Algorithm::Pace => rule.window.limit.saturating_mul(calendar::length(rule.window.period)) < EXACT,
            Algorithm::Fixed | Algorithm::Sliding => rule.window.limit < EXACT,
        };
        let prefix = prefix(limiter, scope);
        rules.iter().all(fits).then(|| Self(Arc::new(Inner { client, prefix, rules })))
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.0.client
    }

    /// The key of a fixed window, as in Kong: `ratelimit:ROUTE:SERVICE:WHO:START:PERIOD`.
    pub(super) fn key(&self, rule: &Rule, key: &str, start: u64) -> String {
        let mut text = String::with_capacity(self.0.prefix.len() + key.len() + 24);
        let Inner { prefix, .. } = &*self.0;
        // Writing to a text does not fail.
        let _ = match rule.window.period {
            Period::Second => write!(text, "{prefix}{key}:{start}:second"),
            Period::Minute => write!(text, "{prefix}{key}:{start}:minute"),
            Period::Hour => write!(text, "{prefix}{key}:{start}:hour"),
            Period::Day => write!(text, "{prefix}{key}:{start}:day"),
            Period::Month => write!(text, "{prefix}{key}:{start}:month"),
            Period::Year => write!(text, "{prefix}{key}:{start}:year"),
            Period::Seconds(seconds) => write!(text, "{prefix}{key}:{start}:{seconds}s"),
        };
        text
    }

    /// Asks about `key` at `now`.
    async fn ask(self, key: String, cost: u32, now: u64) -> Option<Verdict> {
        let rules = &self.0.rules;
        let mut cells: Vec<Cell> = rules.iter().map(|rule| rule.roll(Cell::default(), now)).collect();
        let call = self.call(&cells, &key, cost, now)?;
        let answer: Vec<u64> = self.0.client.run(&call).await?;
        let (allowed, counts) = answer.split_first()?;
        let mut counts = counts.iter().copied();
        for (rule, cell) in rules.iter().zip(&mut cells) {
            cell.count = counts.next()?;
            if rule.algorithm == Algorithm::Sliding {
                cell.before = counts.next()?;
            }
        }
        Some(Verdict { allowed: *allowed == 1, windows: rules.states(&cells, now, cost) })
    }

    fn call(&self, cells: &[Cell], key: &str, cost: u32, now: u64) -> Option<ScriptInvocation<'static>> {
        let rules = &self.0.rules;
        let algorithm = rules.iter().next()?.algorithm;
        let script: &'static Script = match algorithm {
            Algorithm::Fixed => &FIXED,
            Algorithm::Sliding => &SLIDING,
            Algorithm::Pace => &PACE,
        };
        let mut call = script.prepare_invoke();
        call.arg(cost).arg(wanted(cost));
        if algorithm == Algorithm::Pace {
            call.arg(now);
        }
        for (rule, cell) in rules.iter().zip(cells) {
            let (length, limit) = (calendar::length(rule.window.period), rule.window.limit);
            match algorithm {
                Algorithm::Fixed => {
                    call.key(self.key(rule, key, cell.start)).arg(limit).arg(lifetime(rule, cell, now));
                }
                Algorithm::Sliding => {
                    call.key(self.key(rule, key, cell.start));
                    call.key(self.key(rule, key, cell.start.saturating_sub(length)));
                    let within = length.saturating_sub(now - cell.start);
                    call.arg(limit).arg(within).arg(length).arg(length.saturating_mul(2).div_ceil(1_000) + 1);
                }
                Algorithm::Pace => {
                    call.key(self.key(rule, key, 0)).arg(limit).arg(length);
                }
            }
        }
        Some(call)
    }
}

impl RateLimit for Remote {
    fn check(&self, key: &str, cost: u32) -> Checked {
        Checked::Later(Box::pin(self.clone().ask(key.to_owned(), cost, clock::wall())))
    }
}

/// Seconds that a fixed window's counter lasts: Kong's, the period's length from the first call, but never less than
/// the window.
pub(super) fn lifetime(rule: &Rule, cell: &Cell, now: u64) -> u64 {
    calendar::length(rule.window.period).max(cell.until.saturating_sub(now)).div_ceil(1_000)
}

/// Where a limiter counts. That of Kong's plugin counts where Kong does: by route and service, under what follows.
fn prefix(limiter: &Limiter<'_>, scope: Scope<'_>) -> String {
    let Scope { plugin, entity } = scope;
    let id = |id: Option<Uuid>| id.unwrap_or_default();
    let (route, service) = (id(entity.route), id(entity.service));
    let kongs = plugin == "rate-limiting" && limiter.name.is_empty() && limiter.algorithm == Algorithm::Fixed;
    if kongs {
        return format!("ratelimit:{route}:{service}:");
    }
    let (consumer, name) = (id(entity.consumer), limiter.name);
    let algorithm = match limiter.algorithm {
        Algorithm::Fixed => "fixed",
        Algorithm::Sliding => "sliding",
        Algorithm::Pace => "pace",
    };
    format!("ratelimit/{plugin}/{algorithm}/{name}:{route}:{service}:{consumer}:")
}

#[cfg(test)]
mod tests {
    use plugin_contract::ratelimit::{Algorithm, Limiter, Period, Store, Window};
    use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
    use redis::AsyncCommands;
    use uuid::Uuid;

    use super::{Remote, Scope};
    use crate::{
        Entity,
        ratelimit::{local::Local, verdict::Rules},
        redis::{Clients, server::RedisServer},
    };

    fn keys(plugin: &str, entity: &Entity, name: &str, algorithm: Algorithm) -> Vec<String> {
        let redis = crate::redis::tests::redis(6379);
        let periods = [Period::Minute, Period::Month, Period::Seconds(30)];
        let windows = periods.map(|period| Window { period, limit: 3 }).to_vec();
        let rules = Rules::new(algorithm, &windows).unwrap();
        let limiter = Limiter { algorithm, windows, store: Store::Local, name };
        let client = Clients::default().of((&redis).into());
        let remote = Remote::new(client, &limiter, Scope { plugin, entity }, rules.clone()).unwrap();
        rules.iter().map(|rule| remote.key(rule, "10.0.0.1", 1_700_000_040_000)).collect()
    }

    fn remote(port: u16, name: &str, algorithm: Algorithm, windows: &[Window]) -> (Remote, Rules) {
        let rules = Rules::new(algorithm, windows).unwrap();
        let limiter = Limiter { algorithm, windows: windows.to_vec(), store: Store::Local, name };
        let client = Clients::default().of((&crate::redis::tests::redis(port)).into());
        let scope = Scope { plugin: "rate-limiting", entity: &Entity::default() };
        (Remote::new(client, &limiter, scope, rules.clone()).unwrap(), rules)
    }

    /// What Redis decides, beside what this process would: the same questions at the same times.
    #[tokio::test]
    async fn lua_decides_as_the_rules_do() {
        let Some(server) = RedisServer::start(&[]) else { return };
        let windows = |limits: [u64; 2]| {
            [(Period::Hour, limits[0]), (Period::Day, limits[1])]
                .map(|(period, limit)| Window { period, limit })
        };
        let steps = vec((prop_oneof![0..5_u64, 0..1_800_000_u64, 0..7_200_000_u64], 0..4_u32), 1..40);
        let mut runner = TestRunner::deterministic();
        for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Pace] {
            let name = format!("{algorithm:?}");
            for case in 0..24 {
                let limits = [1..8_u64, 1..40_u64].new_tree(&mut runner).unwrap().current();
                let steps = steps.new_tree(&mut runner).unwrap().current();
                let (remote, rules) = remote(server.port, &name, algorithm, &windows(limits));
                let local = Local::new(16);
                let mut now = 1_700_000_000_000;
                for (pause, cost) in steps {
                    now += pause;
                    let here = local.check(local.name(&[]), &rules, "k", cost, now);
                    let there = remote.clone().ask(case.to_string(), cost, now).await;
                    assert_eq!(there, Some(here), "{algorithm:?} {limits:?} at {now} for {cost}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_kong_has_counted_counts_and_kong_finds_what_we_count() {
        let Some(server) = RedisServer::start(&[]) else { return };
        let windows =
            [(Period::Minute, 5), (Period::Hour, 100)].map(|(period, limit)| Window { period, limit });
        let (remote, rules) = remote(server.port, "", Algorithm::Fixed, &windows);
        let now = 1_700_000_045_000;
        let mut kong = server.other().await;
        let nil = "00000000-0000-0000-0000-000000000000";
        let minute = format!("ratelimit:{nil}:{nil}:10.0.0.1:1700000040000:minute");
        let hour = format!("ratelimit:{nil}:{nil}:10.0.0.1:1699999200000:hour");
        kong.incr::<_, _, u64>(&minute, 3).await.unwrap();
        let ask = || remote.clone().ask("10.0.0.1".into(), 1, now);
        let remaining = async |kong: &mut redis::aio::MultiplexedConnection| {
            let verdict = ask().await.unwrap();
            let counts: (u64, u64) = kong.mget(&[&minute, &hour]).await.unwrap();
            (verdict.allowed, verdict.windows[0].remaining, verdict.windows[1].remaining, counts)
        };
        assert_eq!(remaining(&mut kong).await, (true, 1, 99, (4, 1)));
        assert_eq!(remaining(&mut kong).await, (true, 0, 98, (5, 2)));
        assert_eq!(
            remaining(&mut kong).await,
            (false, 0, 98, (5, 2)),
            "a refused call is not counted in the hour"
        );
        let left: i64 = kong.ttl(&hour).await.unwrap();
        assert!((3_500..=3_600).contains(&left), "{left}");
        assert_eq!(rules.iter().count(), 2);
    }

    #[tokio::test]
    async fn nodes_together_let_exactly_the_limit_through() {
        let Some(server) = RedisServer::start(&[]) else { return };
        let windows =
            [(Period::Hour, 100), (Period::Year, 150)].map(|(period, limit)| Window { period, limit });
        let mut calls = tokio::task::JoinSet::new();
        for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Pace] {
            for _node in 0..4 {
                let (remote, _) = remote(server.port, "", algorithm, &windows);
                for _ in 0..50 {
                    let call = remote.clone().ask("k".into(), 1, 1_700_000_000_000);
                    calls.spawn(async move { call.await.unwrap().allowed });
                }
            }
            let mut through = 0;
            while let Some(allowed) = calls.join_next().await {
                through += u32::from(allowed.unwrap());
            }
            assert_eq!(through, 100, "{algorithm:?}");
        }
    }

    #[test]
    fn kongs_plugin_counts_under_kongs_keys() {
        let entity = Entity { route: Some(Uuid::from_u128(7)), ..Entity::default() };
        let keys = keys("rate-limiting", &entity, "", Algorithm::Fixed);
        let prefix = "ratelimit:00000000-0000-0000-0000-000000000007:00000000-0000-0000-0000-000000000000";
        let expected =
            ["minute", "month", "30s"].map(|last| format!("{prefix}:10.0.0.1:1700000040000:{last}"));
        assert_eq!(keys, expected);
    }

    #[test]
    fn others_do_not_meet_them() {
        let entity = Entity { consumer: Some(Uuid::from_u128(9)), ..Entity::default() };
        for (plugin, name, algorithm) in [
            ("rate-limiting", "x", Algorithm::Fixed),
            ("rate-limiting", "", Algorithm::Pace),
            ("other", "", Algorithm::Fixed),
        ] {
            let key = keys(plugin, &entity, name, algorithm).remove(0);
            assert!(key.starts_with(&format!("ratelimit/{plugin}/")), "{key}");
            assert!(key.contains("000000000009:10.0.0.1:"), "{key}");
        }
    }
}
