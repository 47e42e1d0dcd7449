//! How many requests are at each endpoint of a service.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use crate::plugin::{Keep, Keeper, Outcome, Permit};

/// So many are known at a time. Beyond that those are forgotten where nobody is.
const MOST: usize = 4_096;

type Known = HashMap<SocketAddr, Arc<Endpoint>, RandomState>;

/// The endpoints of one service that have been asked.
#[derive(Default)]
pub(super) struct Endpoints {
    /// Immutable but for endpoints that are met for the first time, so that a try takes no lock here.
    known: ArcSwap<Known>,
}

impl Endpoints {
    /// Leave to be at `endpoint`, where fewer than `most` are.
    pub(super) fn enter(&self, endpoint: SocketAddr, most: u32) -> Option<Permit> {
        let known = self.known.load().get(&endpoint).cloned();
        known.unwrap_or_else(|| self.meet(endpoint)).enter(most)
    }

    /// Each with how many are there.
    pub(super) fn all(&self) -> Vec<(SocketAddr, u32)> {
        let known = self.known.load();
        let mut all: Vec<_> = known.iter().map(|(address, it)| (*address, it.requests())).collect();
        all.sort_unstable();
        all
    }

    /// One that has not been asked before. Where two meet it at once, both get the same.
    #[cold]
    fn meet(&self, endpoint: SocketAddr) -> Arc<Endpoint> {
        let met = Arc::new(Endpoint::default());
        self.known.rcu(|known| {
            let mut all = Known::clone(known);
            if all.len() >= MOST {
                all.retain(|_, it| it.requests() > 0);
            }
            all.entry(endpoint).or_insert_with(|| Arc::clone(&met));
            all
        });
        self.known.load().get(&endpoint).cloned().unwrap_or(met)
    }
}

/// Requests at one endpoint.
#[derive(Default)]
struct Endpoint(AtomicU32);

impl Endpoint {
    fn requests(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn enter(self: &Arc<Self>, most: u32) -> Option<Permit> {
        let one_more = |now: u32| (now < most).then_some(now + 1);
        self.0.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Permit::new(Arc::clone(self) as Arc<dyn Keeper>, 0))
    }
}

impl Keeper for Endpoint {
    fn settle(&self, _: u64, _: &Outcome) -> Keep {
        Keep::ToTheEnd
    }

    fn release(&self, _: u64) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{Endpoints, MOST};

    fn at(port: usize) -> SocketAddr {
        ([127, 0, 0, 1], u16::try_from(port).unwrap()).into()
    }

    #[test]
    fn each_takes_so_many_and_again_once_one_has_left() {
        let endpoints = Endpoints::default();
        let (first, second) = (endpoints.enter(at(1), 2), endpoints.enter(at(1), 2));
        assert!(first.is_some() && second.is_some());
        assert!(endpoints.enter(at(1), 2).is_none());
        assert!(endpoints.enter(at(2), 2).is_some(), "another one has places of its own");
        drop(first);
        assert!(endpoints.enter(at(1), 2).is_some());
        assert_eq!(endpoints.all(), [(at(1), 1), (at(2), 0)]);
    }

    #[test]
    fn those_that_come_and_go_are_forgotten_but_not_where_somebody_is() {
        let endpoints = Endpoints::default();
        let stays = endpoints.enter(at(1), 1);
        for port in 2..MOST + 10 {
            drop(endpoints.enter(at(port), 1));
        }
        assert!(endpoints.all().len() <= MOST);
        assert!(endpoints.enter(at(1), 1).is_none());
        drop(stays);
        assert!(endpoints.enter(at(1), 1).is_some());
    }
}
