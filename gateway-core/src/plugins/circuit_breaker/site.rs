//! The breakers of one service: what is learned, whatever the settings are.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use foldhash::fast::RandomState;

use crate::breaker::{Breaker, State};

/// The breaker of a service, and those of its endpoints.
#[derive(Default)]
pub(super) struct Site {
    pub(super) service: Arc<Breaker>,
    /// Only who meets an endpoint for the first time comes here, and a scrape.
    endpoints: Mutex<HashMap<SocketAddr, Arc<Breaker>, RandomState>>,
}

/// The most endpoints of a service whose breakers are kept.
pub(super) const MOST: usize = 4_096;

impl Site {
    /// The breaker of an endpoint.
    pub(super) fn endpoint(&self, address: SocketAddr) -> Arc<Breaker> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoints.len() >= MOST && !endpoints.contains_key(&address) {
            // Addresses come and go with the answers of name servers. Who is closed has nothing to remember but counts.
            endpoints.retain(|_, breaker| breaker.state() != State::Closed);
            if endpoints.len() >= MOST {
                endpoints.clear();
            }
        }
        Arc::clone(endpoints.entry(address).or_default())
    }

    /// Every endpoint that has been asked.
    pub(super) fn endpoints(&self) -> Vec<(SocketAddr, Arc<Breaker>)> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = endpoints.iter().map(|(address, it)| (*address, Arc::clone(it))).collect();
        all.sort_by_key(|(address, _)| *address);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use super::{MOST, Site};
    use crate::breaker::{Settings, State, Verdict};

    #[test]
    fn addresses_that_come_and_go_do_not_pile_up_and_open_ones_stay() {
        let site = Site::default();
        let address = |number: usize| SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()));
        let open = site.endpoint(address(0));
        let settings = Settings { consecutive: 1, ..Settings::default() };
        let ticket = open.admit(&settings, || 0).unwrap();
        open.report(&settings, ticket, Verdict::FAILURE, 0);
        for number in 1..3 * MOST {
            site.endpoint(address(number));
        }
        assert!(site.endpoints().len() <= MOST);
        assert!(Arc::ptr_eq(&open, &site.endpoint(address(0))));
        assert_eq!(open.state(), State::Open);
    }
}
