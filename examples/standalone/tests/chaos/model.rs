//! What must be so by what was answered.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{GATEWAYS, cluster::Cluster};

/// Routes that one writer alone writes, each with all states that it may have by now: a number, or not there. There is
/// more than one where an answer did not come, or was 503.
pub(crate) struct Model {
    writer: usize,
    routes: BTreeMap<usize, Vec<Option<u64>>>,
}

impl Model {
    pub(crate) const fn new(writer: usize) -> Self {
        Self { writer, routes: BTreeMap::new() }
    }

    pub(crate) fn name(&self, route: usize) -> String {
        // None is the beginning of another: they are paths, too.
        format!("w{}-{route:03}", self.writer)
    }

    /// It is so.
    pub(crate) fn acknowledged(&mut self, route: usize, state: Option<u64>) {
        self.routes.insert(route, vec![state]);
    }

    /// It may be so.
    pub(crate) fn unknown(&mut self, route: usize, state: Option<u64>) {
        self.routes.entry(route).or_insert_with(|| vec![None]).push(state);
    }

    /// That it is so, on all gateways and through their proxies.
    #[track_caller]
    pub(crate) fn check(&self, cluster: &Cluster) {
        for (route, states) in &self.routes {
            let name = self.name(*route);
            for number in 0..GATEWAYS {
                let shown = cluster.json(number, &format!("/routes/{name}"));
                let state = shown.as_ref().map(version);
                assert!(states.contains(&state), "gateway {number}: {name} is {state:?}, not of {states:?}");
                let served = cluster.get(number, &format!("/{name}")).unwrap().status;
                assert_eq!(served, if state.is_some() { 200 } else { 404 }, "gateway {number}: {name}");
            }
        }
    }
}

fn version(route: &Value) -> u64 {
    route["tags"][0].as_str().unwrap().parse().unwrap()
}
