//! One configuration of the plugin, at each of its services.

use std::{any::Any, collections::HashMap, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use uuid::Uuid;

use super::site::{MOST, Site};
use crate::{
    breaker::{Breaker, Open, Settings, State, Verdict},
    clock,
    error::{Error, Reason},
    plugin::{Admission, Bound, Guard, Keep, Keeper, Outcome, Permit, Policy, Reading},
    plugins::sites::Sites,
    reply::RetryAfter,
};

/// When breakers open, and which there are.
pub(super) struct Rules {
    pub(super) settings: Settings,
    pub(super) statuses: Box<[u16]>,
    pub(super) of_endpoints: bool,
    pub(super) of_services: bool,
}

impl Rules {
    /// What an outcome counts as; none where it says nothing of the upstream.
    fn judge(&self, outcome: &Outcome) -> Option<Verdict> {
        let slow = self.settings.is_slow(outcome.took);
        match outcome.result {
            Ok(status) => Some(Verdict { failed: self.statuses.contains(&status.as_u16()), slow }),
            Err(reason) => reason.blames_upstream().then_some(Verdict { failed: true, slow }),
        }
    }
}

/// One configuration of the plugin.
pub(super) struct BreakerPolicy {
    rules: Arc<Rules>,
    sites: Arc<Sites<Site>>,
    guards: Sites<BreakerGuard>,
}

impl BreakerPolicy {
    pub(super) fn new(rules: Rules, sites: Arc<Sites<Site>>) -> Self {
        Self { rules: Arc::new(rules), sites, guards: Sites::default() }
    }

    pub(super) fn sites(&self) -> Arc<Sites<Site>> {
        Arc::clone(&self.sites)
    }
}

impl Policy for BreakerPolicy {
    fn at(&self, service: Uuid) -> Bound {
        // One for all routes of the service, so that each finds the breakers that others have made.
        let guard = || {
            let site = self.sites.get_or_make(service, Site::default);
            let keeper = Watched {
                name: service.to_string(),
                rules: Arc::clone(&self.rules),
                breaker: Arc::clone(&site.service),
            };
            BreakerGuard {
                service: Arc::new(keeper),
                endpoints: ArcSwap::default(),
                rules: Arc::clone(&self.rules),
                site,
            }
        };
        Bound::Guard(self.guards.get_or_make(service, guard))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn readings(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for (service, site) in self.sites.all() {
            let mut show = |endpoint: String, breaker: &Breaker| {
                readings.extend([
                    Reading {
                        metric: "gateway_circuit_breaker_state".into(),
                        help: "State of a circuit breaker: 0 closed, 1 open, 2 half-open",
                        service: Some(service),
                        labels: vec![("endpoint", endpoint.clone())],
                        value: breaker.state() as u64,
                    },
                    Reading {
                        metric: "gateway_circuit_breaker_openings_total".into(),
                        help: "How often a circuit breaker has opened",
                        service: Some(service),
                        labels: vec![("endpoint", endpoint)],
                        value: breaker.openings(),
                    },
                ]);
            };
            if self.rules.of_services {
                show(String::new(), &site.service);
            }
            for (address, breaker) in site.endpoints().iter().filter(|_| self.rules.of_endpoints) {
                show(address.to_string(), breaker);
            }
        }
        readings
    }
}

/// The plugin at one service.
struct BreakerGuard {
    rules: Arc<Rules>,
    service: Arc<Watched>,
    /// Immutable but for endpoints that are met for the first time, so that a try takes no lock here.
    endpoints: ArcSwap<HashMap<SocketAddr, Arc<Watched>, RandomState>>,
    site: Arc<Site>,
}

impl Guard for BreakerGuard {
    fn admit(&self) -> Admission {
        if !self.rules.of_services {
            return Admission::Go(Permit::free());
        }
        self.service.admit().map_or_else(Admission::Refuse, Admission::Go)
    }

    fn admit_try(&self, endpoint: SocketAddr) -> Result<Permit, Error> {
        if !self.rules.of_endpoints {
            return Ok(Permit::free());
        }
        match self.endpoints.load().get(&endpoint) {
            Some(watched) => watched.admit(),
            None => self.meet(endpoint).admit(),
        }
    }
}

impl BreakerGuard {
    /// The breaker of an endpoint that has not been asked before.
    #[cold]
    fn meet(&self, endpoint: SocketAddr) -> Arc<Watched> {
        let (rules, breaker) = (Arc::clone(&self.rules), self.site.endpoint(endpoint));
        let met = Arc::new(Watched { name: endpoint.to_string(), rules, breaker });
        self.endpoints.rcu(|known| {
            let mut all = if known.len() < MOST { HashMap::clone(known) } else { HashMap::default() };
            all.insert(endpoint, Arc::clone(&met));
            all
        });
        met
    }
}

/// A breaker with the rules that it follows now.
struct Watched {
    name: String,
    rules: Arc<Rules>,
    breaker: Arc<Breaker>,
}

impl Watched {
    fn admit(self: &Arc<Self>) -> Result<Permit, Error> {
        let admitted = self.breaker.admit(&self.rules.settings, clock::now);
        let refused = |Open { after }| Error::new(Reason::BreakerOpen, RetryAfter(after));
        admitted
            .map(|ticket| Permit::new(Arc::clone(self) as Arc<dyn Keeper>, ticket.into()))
            .map_err(refused)
    }

    #[cold]
    fn log(&self, state: State) {
        let name = &self.name;
        match state {
            State::Open => tracing::warn!(of = %name, "a circuit breaker opened"),
            State::HalfOpen | State::Closed => tracing::info!(of = %name, "a circuit breaker closed"),
        }
    }
}

impl Keeper for Watched {
    fn settle(&self, ticket: u64, outcome: &Outcome) -> Keep {
        match self.rules.judge(outcome) {
            None => self.breaker.abandon(ticket.into()),
            Some(verdict) => {
                let changed = self.breaker.report(&self.rules.settings, ticket.into(), verdict, clock::now());
                if let Some(state) = changed {
                    self.log(state);
                }
            }
        }
        Keep::Done
    }

    fn release(&self, ticket: u64) {
        self.breaker.abandon(ticket.into());
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http::StatusCode;
    use serde_json::json;
    use uuid::Uuid;

    use crate::{
        error::Reason,
        plugin::{Admission, Bound, Configured, Guard, Outcome, Plugin, Policy},
        plugins::{CircuitBreaker, testing::filled},
    };

    const SERVICE: Uuid = Uuid::from_u128(1);

    fn configured(config: serde_json::Value) -> Configured {
        let plugin = CircuitBreaker::new();
        plugin.configure(&filled(&plugin, config)).unwrap()
    }

    fn policy(configured: &Configured) -> &Arc<dyn Policy> {
        let Configured::Policy(policy) = configured else { panic!("{configured:?}") };
        policy
    }

    fn guard(configured: &Configured) -> Arc<dyn Guard> {
        let Bound::Guard(guard) = policy(configured).at(SERVICE) else { panic!("not a guard") };
        guard
    }

    fn pass(guard: &dyn Guard, result: Result<StatusCode, Reason>) {
        let Admission::Go(mut permit) = guard.admit() else { panic!("refused") };
        permit.settle(&Outcome { result, took: Duration::from_millis(3) });
    }

    fn is_refused(guard: &dyn Guard) -> bool {
        matches!(guard.admit(), Admission::Refuse(error) if error.reason() == Reason::BreakerOpen)
    }

    #[test]
    fn only_what_the_upstream_did_counts() {
        let guard = guard(&configured(json!({ "consecutive_failures": 1 })));
        for reason in Reason::ALL.into_iter().filter(|reason| !reason.blames_upstream()) {
            pass(guard.as_ref(), Err(reason));
        }
        pass(guard.as_ref(), Ok(StatusCode::BAD_REQUEST));
        drop(guard.admit());
        assert!(!is_refused(guard.as_ref()));
        pass(guard.as_ref(), Ok(StatusCode::BAD_GATEWAY));
        assert!(is_refused(guard.as_ref()));
    }

    #[test]
    fn endpoints_and_services_each_have_their_own() {
        let configured = configured(json!({ "consecutive_failures": 1 }));
        let (guard, [bad, good]) =
            (guard(&configured), ["10.0.0.1:80", "10.0.0.2:80"].map(|at| at.parse().unwrap()));
        let mut permit = guard.admit_try(bad).unwrap();
        permit.settle(&Outcome { result: Err(Reason::Reset), took: Duration::ZERO });
        assert_eq!(guard.admit_try(bad).unwrap_err().reason(), Reason::BreakerOpen);
        assert!(guard.admit_try(good).is_ok() && !is_refused(guard.as_ref()));
        let Bound::Guard(other) = policy(&configured).at(Uuid::from_u128(2)) else { panic!() };
        assert!(other.admit_try(bad).is_ok());
    }

    #[test]
    fn what_was_learned_survives_new_settings() {
        let plugin = CircuitBreaker::new();
        let before = configured(json!({ "consecutive_failures": 1 }));
        let held = guard(&before);
        pass(held.as_ref(), Err(Reason::Reset));
        let config = filled(&plugin, json!({ "consecutive_failures": 7 }));
        let entity = crate::config::Plugin::new("circuit-breaker", config);
        let after = plugin.reconfigure(&entity, &before).unwrap();
        assert!(is_refused(guard(&after).as_ref()));
        let shown = |configured| {
            let readings = policy(configured).readings();
            readings.into_iter().map(|reading| (reading.metric, reading.value)).collect::<Vec<_>>()
        };
        let all = vec![
            ("gateway_circuit_breaker_state".into(), 1),
            ("gateway_circuit_breaker_openings_total".into(), 1),
        ];
        assert_eq!(shown(&after), all);
        // A service that no route leads to any more is forgotten.
        drop((held, before));
        assert!(shown(&after).is_empty());
    }

    #[test]
    fn impossible_settings_are_refused() {
        use crate::config::{Config, schema::PluginSchemas as _};
        let registry = crate::plugins::bundled();
        assert!(registry.schema("circuit-breaker").is_some());
        for (config, problem) in [
            ("{open_time: 10000, max_open_time: 5000}", "must not be less than 'open_time'"),
            ("{failure_percent: 0, consecutive_failures: 0}", "must be greater than 0"),
            ("{failure_percent: 101}", "value should be between 0 and 100"),
            ("{window_calls: 19}", "must be 0, or at least 10 and not less than 'minimum_calls'"),
            ("{window_calls: 5, minimum_calls: 1}", "must be 0, or at least 10"),
            ("{apply_to: []}", "length must be at least 1"),
            ("{failure_statuses: [99]}", "value should be between 100 and 999"),
        ] {
            let text =
                format!("{{_format_version: '3.0', plugins: [{{name: circuit-breaker, config: {config}}}]}}");
            let problems = Config::parse(&text, &registry).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }
}
