//! Tokens that were good.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::token::Good;

/// Tokens that were good, each with what it says: a few thousand, of which the older ones make room.
///
/// The place follows from a hash whose key nobody outside knows, and the whole token is compared: no token stands for
/// another one. A lock for each place is held for that comparison.
pub(super) struct Cache {
    secret: RandomState,
    places: Box<[Mutex<Place>]>,
}

/// The newest comes first.
#[derive(Default)]
struct Place([Option<(Box<str>, Arc<Good>)>; WAYS]);

const PLACES: usize = 1024;
const WAYS: usize = 2;
/// Bytes of a token that is kept.
const LONGEST: usize = 4 << 10;

impl Cache {
    pub(super) fn new() -> Self {
        Self { secret: RandomState::new(), places: (0..PLACES).map(|_| Mutex::default()).collect() }
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Good>> {
        let place = self.place(token)?.lock().unwrap_or_else(PoisonError::into_inner);
        let held = place.0.iter().flatten().find(|(own, _)| same(own, token));
        held.map(|(_, good)| Arc::clone(good))
    }

    pub(super) fn put(&self, token: &str, good: &Arc<Good>) {
        if token.len() > LONGEST {
            return;
        }
        let Some(place) = self.place(token) else { return };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Some((token.into(), Arc::clone(good)));
        match place.0.iter_mut().find(|held| held.as_ref().is_some_and(|(own, _)| same(own, token))) {
            Some(held) => *held = new,
            None => {
                place.0.rotate_right(1);
                if let Some(first) = place.0.first_mut() {
                    *first = new;
                }
            }
        }
    }

    fn place(&self, token: &str) -> Option<&Mutex<Place>> {
        let hash = usize::try_from(self.secret.hash_one(token) % PLACES as u64).ok()?;
        self.places.get(hash)
    }
}

fn same(a: &str, b: &str) -> bool {
    verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}
