//! What a policy keeps for each service.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foldhash::fast::RandomState;
use uuid::Uuid;

/// Something for each service, as long as somebody holds it: the routes that lead there. A snapshot is compiled
/// while the one before still stands, so that what they share goes on.
pub(super) struct Sites<T>(Mutex<HashMap<Uuid, Weak<T>, RandomState>>);

impl<T> Default for Sites<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Sites<T> {
    /// That of `service`, made where there is none.
    pub(super) fn get_or_make(&self, service: Uuid, make: impl FnOnce() -> T) -> Arc<T> {
        // Only compiling and scraping come here.
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sites.get(&service).and_then(Weak::upgrade) {
            return known;
        }
        if sites.len() == sites.capacity() {
            sites.retain(|_, site| site.strong_count() > 0);
        }
        let made = Arc::new(make());
        sites.insert(service, Arc::downgrade(&made));
        made
    }

    /// All that somebody holds, in the order of their services.
    pub(super) fn all(&self) -> Vec<(Uuid, Arc<T>)> {
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = sites.iter().filter_map(|(service, site)| Some((*service, site.upgrade()?)));
        let mut all: Vec<_> = live.collect();
        all.sort_by_key(|(service, _)| *service);
        all
    }
}
