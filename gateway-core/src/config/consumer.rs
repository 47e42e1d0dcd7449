//! Consumers, their groups and their credentials.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Reference, derived_id};

/// Who calls: a user, an application, a team. At least one of the names is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Consumer {
    /// Identity; from the username where none is given.
    pub id: Uuid,
    /// Unique name.
    pub username: Option<String>,
    /// Unique id in another system.
    pub custom_id: Option<String>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

impl Consumer {
    /// A consumer with this username.
    #[must_use]
    pub fn new(username: &str) -> Self {
        Self {
            id: derived_id("consumers", username),
            username: Some(username.to_owned()),
            custom_id: None,
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }
}

/// A named group of consumers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConsumerGroup {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// Members.
    #[serde(default)]
    pub consumers: Vec<Reference>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// What kind of credential, named as in the declarative file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CredentialKind {
    /// Group memberships for the plugin acl.
    Acls,
    /// Username and password.
    BasicauthCredentials,
    /// Shared secret for signed requests.
    HmacauthCredentials,
    /// Key and secret or public key for JWTs.
    JwtSecrets,
    /// An API key.
    KeyauthCredentials,
    /// An OAuth 2.0 client.
    Oauth2Credentials,
}

impl CredentialKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Acls,
        Self::BasicauthCredentials,
        Self::HmacauthCredentials,
        Self::JwtSecrets,
        Self::KeyauthCredentials,
        Self::Oauth2Credentials,
    ];

    /// The list it stands in in a declarative file: `keyauth_credentials`.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Acls => "acls",
            Self::BasicauthCredentials => "basicauth_credentials",
            Self::HmacauthCredentials => "hmacauth_credentials",
            Self::JwtSecrets => "jwt_secrets",
            Self::KeyauthCredentials => "keyauth_credentials",
            Self::Oauth2Credentials => "oauth2_credentials",
        }
    }
}

/// A credential of a consumer. The fields that only its plugin understands are in `fields`;
/// `Debug` leaves their values out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credential {
    /// Identity; random where none is given.
    pub id: Uuid,
    /// What kind it is.
    pub kind: CredentialKind,
    /// Whose it is.
    pub consumer: Reference,
    /// Key, username, secret, group ...: as the declarative file names them, defaults filled in.
    #[serde(flatten)]
    pub fields: serde_json::Map<String, Value>,
}

impl Credential {
    /// Unix seconds from which on it does not count any more: where it has a `ttl`, and says when it was made.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        let seconds = |name| self.fields.get(name).and_then(Value::as_u64).filter(|time| *time > 0);
        Some(seconds("created_at")?.saturating_add(seconds("ttl")?))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.keys().collect();
        let mut credential = f.debug_struct("Credential");
        credential.field("id", &self.id).field("kind", &self.kind).field("consumer", &self.consumer);
        credential.field("fields", &names).finish()
    }
}
