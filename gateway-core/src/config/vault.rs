//! Vaults, keys and key sets.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Reference;

/// A named source of secrets; `{vault://<prefix>/...}` reads from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Vault {
    /// Identity; from the prefix where none is given.
    pub id: Uuid,
    /// Unique word in references.
    pub prefix: String,
    /// Its kind: `env`.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Settings of its kind.
    pub config: Value,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// A named set of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeySet {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// Unique name.
    pub name: Option<String>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// A key, as a JWK or as PEM. `Debug` leaves both out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Key {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// The set it belongs to.
    pub set: Option<Reference>,
    /// Unique name.
    pub name: Option<String>,
    /// Key id.
    pub kid: String,
    /// The key as JSON text.
    pub jwk: Option<String>,
    /// The key pair as PEM.
    pub pem: Option<Pem>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// A key pair. `Debug` leaves the private half out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pem {
    /// The private half.
    pub private_key: Option<String>,
    /// The public half.
    pub public_key: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = f.debug_struct("Key");
        key.field("id", &self.id).field("set", &self.set).field("name", &self.name).field("kid", &self.kid);
        key.field("tags", &self.tags).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}
