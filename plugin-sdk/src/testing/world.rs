//! What is around a plugin in a test.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{
    clock::Clock, consumers::Consumer, exchange::Exchange, limiter::Limiters, request::Received,
    response::Response, scripted::Scripted, server::Server, store::Store,
};
use crate::host::{Level, Metric};

/// What answers for a service.
pub(super) type Service = Box<dyn FnMut(&Received) -> Response>;

/// What is around a plugin in a test.
#[derive(Default)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) consumers: RefCell<Vec<Consumer>>,
    pub(super) services: RefCell<BTreeMap<String, Service>>,
    pub(super) functions: RefCell<BTreeMap<&'static str, Scripted>>,
    pub(super) limiters: RefCell<Limiters>,
    /// The address of the client whose request a testbed has.
    pub(super) client: RefCell<Option<String>>,
    /// What clients are told of limits, as bytes.
    pub(super) reports: RefCell<Vec<Vec<u8>>>,
    pub(super) store: RefCell<Store>,
    /// What nodes keep together, and the prefixes of the stores there, by their numbers.
    pub(super) server: RefCell<Server>,
    pub(super) prefixes: RefCell<Vec<String>>,
    pub(super) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(super) lines: RefCell<Vec<(Level, String)>>,
    pub(super) metrics: RefCell<Vec<(String, Metric, u64)>>,
    pub(super) exchanges: RefCell<BTreeMap<u32, Exchange>>,
    /// The root of the running callback.
    pub(super) root: Cell<u32>,
    /// The context that the host's calls are about.
    pub(super) effective: Cell<u32>,
    pub(super) hand: RefCell<Hand>,
}

/// What is at hand in some callbacks only.
#[derive(Default)]
pub(super) struct Hand {
    pub(super) configuration: Vec<u8>,
    pub(super) called: Option<Response>,
    pub(super) arguments: Vec<u8>,
}

/// A number that no context and no token of this process has: plugins of one thread share what goes on between their
/// callbacks.
pub(super) fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl World {
    /// The exchange of the effective context; nothing where that is none.
    pub(super) fn with<R>(&self, read: impl FnOnce(&mut Exchange) -> R) -> Option<R> {
        self.exchanges.borrow_mut().get_mut(&self.effective.get()).map(read)
    }

    /// Asks a service.
    pub(super) fn ask(&self, service: &str, received: &Received) -> Option<Response> {
        // It may have a hand in this world itself: nothing is borrowed meanwhile.
        let (name, mut script) = self.services.borrow_mut().remove_entry(service)?;
        let response = script(received);
        self.services.borrow_mut().entry(name).or_insert(script);
        Some(response)
    }
}
