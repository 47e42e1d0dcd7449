//! Secrets as keys of a map: by a keyed hash, and compared in constant time.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use foldhash::fast::FixedState;
use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};
use smallvec::SmallVec;

use super::Identity;
use crate::config::CredentialKind;

/// Identities by what their credentials are looked up by. Clones share what did not change.
///
/// Places follow from a hash whose key nobody outside knows, so how long a search takes says nothing of how much of a
/// key was right.
#[derive(Clone, Default)]
pub(super) struct Keys {
    secret: RandomState,
    // The hash is well spread already.
    places: GenericHashMap<u64, SmallVec<[Arc<Identity>; 1]>, FixedState, DefaultSharedPtr>,
}

impl Keys {
    pub(super) fn get(&self, kind: CredentialKind, key: &str) -> Option<&Arc<Identity>> {
        let place = self.places.get(&self.place(kind, key))?;
        place.iter().find(|identity| identity.key().is_some_and(|known| same(known, (kind, key))))
    }

    pub(super) fn insert(&mut self, identity: &Arc<Identity>) {
        let Some((kind, key)) = identity.key() else { return };
        let place = self.place(kind, key);
        let mut held = self.places.get(&place).cloned().unwrap_or_default();
        held.retain(|other| !is_same(other, identity));
        held.push(Arc::clone(identity));
        self.places.insert(place, held);
    }

    pub(super) fn remove(&mut self, identity: &Identity) {
        let Some((kind, key)) = identity.key() else { return };
        let place = self.place(kind, key);
        let Some(mut held) = self.places.get(&place).cloned() else { return };
        held.retain(|other| !is_same(other, identity));
        match held.is_empty() {
            true => drop(self.places.remove(&place)),
            false => drop(self.places.insert(place, held)),
        }
    }

    fn place(&self, kind: CredentialKind, key: &str) -> u64 {
        self.secret.hash_one((kind as u8, key))
    }
}

fn same(known: (CredentialKind, &str), (kind, key): (CredentialKind, &str)) -> bool {
    known.0 == kind && verify_slices_are_equal(known.1.as_bytes(), key.as_bytes()).is_ok()
}

/// Whether both are of the same credential.
fn is_same(a: &Identity, b: &Identity) -> bool {
    a.credential().map(|it| it.id) == b.credential().map(|it| it.id)
}
