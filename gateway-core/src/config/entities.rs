//! Entities of one kind by id.

use std::{fmt, ops::RangeBounds, sync::Arc};

use imbl::{OrdMap, ordmap};
use uuid::Uuid;

/// Entities of one kind by id, in the order of their ids.
///
/// A clone costs nothing, and a change of one entity shares all others with the clone: configurations of many
/// thousand entities are held and changed side by side.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::config::{Entities, Route};
///
/// let routes = ["users", "orders"].map(Route::new);
/// let mut routes: Entities<Route> = routes.into_iter().map(|route| (route.id, Arc::new(route))).collect();
/// let before = routes.clone();
/// let carts = Route::new("carts");
/// routes.insert(carts.id, Arc::new(carts));
/// assert_eq!((before.len(), routes.len()), (2, 3));
/// assert!(before.iter().all(|(id, route)| Arc::ptr_eq(route, routes.get(id).unwrap())));
/// ```
pub struct Entities<T>(OrdMap<Uuid, Arc<T>>);

impl<T> Entities<T> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entity with this id.
    #[must_use]
    pub fn get(&self, id: &Uuid) -> Option<&Arc<T>> {
        self.0.get(id)
    }

    /// The entity with this id, to be changed ([`Arc::make_mut`]).
    pub fn get_mut(&mut self, id: &Uuid) -> Option<&mut Arc<T>> {
        self.0.get_mut(id)
    }

    /// Whether there is one with this id.
    #[must_use]
    pub fn contains_key(&self, id: &Uuid) -> bool {
        self.0.contains_key(id)
    }

    /// Puts one in; gives the one that had this id before.
    pub fn insert(&mut self, id: Uuid, entity: Arc<T>) -> Option<Arc<T>> {
        self.0.insert(id, entity)
    }

    /// Takes one out.
    pub fn remove(&mut self, id: &Uuid) -> Option<Arc<T>> {
        self.0.remove(id)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All with their ids.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.0.iter())
    }

    /// Their ids.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Uuid> + ExactSizeIterator {
        self.0.keys()
    }

    /// All, without their ids.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> + ExactSizeIterator {
        self.0.values()
    }

    /// Those with ids in this range.
    pub fn range(&self, ids: impl RangeBounds<Uuid>) -> impl DoubleEndedIterator<Item = (&Uuid, &Arc<T>)> {
        self.0.range(ids)
    }
}

impl<T> Entities<T> {
    /// Those of both; where an id is in both, that of `self`.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0.union(other.0))
    }

    /// The same without those that `other` has.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        other.keys().for_each(|id| drop(rest.remove(id)));
        rest
    }
}

impl<T: PartialEq> Entities<T> {
    /// What turns `self` into `next`: the new value of each entity that differs, or nothing where it goes. What the
    /// two share is not looked at.
    pub(super) fn diff<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = (Uuid, Option<&'a Arc<T>>)> {
        self.0.diff(&next.0).map(|item| match item {
            ordmap::DiffItem::Add(id, entity) | ordmap::DiffItem::Update { new: (id, entity), .. } => {
                (*id, Some(entity))
            }
            ordmap::DiffItem::Remove(id, _) => (*id, None),
        })
    }

    /// The same, with the values of `other` in place of those that equal them.
    pub(super) fn sharing(&self, other: &Self) -> Self {
        let shared = |(id, own): (&Uuid, &Arc<T>)| {
            let same = other.get(id).filter(|same| Arc::ptr_eq(same, own) || *same == own);
            (*id, Arc::clone(same.unwrap_or(own)))
        };
        self.iter().map(shared).collect()
    }
}

/// The entities of [`Entities::iter`].
pub struct Iter<'a, T>(ordmap::Iter<'a, Uuid, Arc<T>, imbl::shared_ptr::DefaultSharedPtr>);

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a Uuid, &'a Arc<T>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("left", &self.len()).finish_non_exhaustive()
    }
}

impl<'a, T> IntoIterator for &'a Entities<T> {
    type Item = (&'a Uuid, &'a Arc<T>);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> FromIterator<(Uuid, Arc<T>)> for Entities<T> {
    fn from_iter<I: IntoIterator<Item = (Uuid, Arc<T>)>>(entities: I) -> Self {
        Self(entities.into_iter().collect())
    }
}

impl<T> Extend<(Uuid, Arc<T>)> for Entities<T> {
    fn extend<I: IntoIterator<Item = (Uuid, Arc<T>)>>(&mut self, entities: I) {
        self.0.extend(entities);
    }
}

impl<T> Clone for Entities<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Entities<T> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<T: PartialEq> PartialEq for Entities<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.diff(other).next().is_none()
    }
}

impl<T: fmt::Debug> fmt::Debug for Entities<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
