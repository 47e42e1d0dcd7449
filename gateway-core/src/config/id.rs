//! Identity of entities: uuids, and those that a name yields.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A reference to another entity, `{"id": "..."}` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The id of the entity that is meant.
    pub id: Uuid,
}

impl From<Uuid> for Reference {
    fn from(id: Uuid) -> Self {
        Self { id }
    }
}

/// The root of Kong's name-derived ids (compat A50).
const ROOT: Uuid = Uuid::from_u128(0xfd02801f_0957_4a15_a55a_c8d9606f30b5);

/// The id that an entity of `kind` (`"services"`, `"routes"` ...) named `name` has when the file
/// gives none: `v5(v5(root, kind), name)`, the same on every node and at every load.
///
/// ```
/// use gateway_core::config::derived_id;
///
/// let id = derived_id("consumers", "alice");
/// assert_eq!(id.to_string(), "b32379d9-3d28-5683-a79c-72139be6e34f");
/// ```
#[must_use]
pub fn derived_id(kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::new_v5(&ROOT, kind.as_bytes()), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::derived_id;

    #[test]
    fn ids_from_names_are_those_of_kong() {
        assert_eq!(derived_id("services", "a").to_string(), "72734e2a-702d-5711-b9ef-697178108ad8");
    }
}
