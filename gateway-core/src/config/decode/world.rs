//! What is there beside the entities that are read.

use uuid::Uuid;

use super::row::Row;
use crate::config::{index::Named, schema::EntityKind};

/// The entities that may be referred to, and that keys may clash with.
pub(super) trait World {
    /// The id of the entity that `text` means, an id or a name.
    fn find(&self, kind: EntityKind, text: &str) -> Option<Uuid>;

    /// Names, to find the one that was meant.
    fn names(&self, kind: EntityKind) -> Vec<&str>;

    /// The place of an entity among all of its kind, if it is there.
    fn place(&self, named: Named) -> Option<u128>;

    /// The entity at a place, to be shown.
    fn row(&self, kind: EntityKind, place: u128) -> Option<Row<'_>>;
}
