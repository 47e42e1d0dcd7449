//! Who is known.

use plugin_contract::{Id, consumer::Kind};
use serde_json::{Map, Value, json};

/// A consumer with credentials and groups, for [`Gateway::consumer`](super::Gateway::consumer).
///
/// ```
/// # use plugin_sdk::prelude::*;
/// use plugin_sdk::testing::Consumer;
///
/// let alice = Consumer::new("alice").custom_id("a-1").key("abc").basic("alice", "secret").group("admins");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Consumer {
    pub(super) id: Id,
    pub(super) username: String,
    pub(super) custom_id: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) credentials: Vec<Credential>,
}

/// A credential, with the fields that the gateway's configuration has for it.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub(super) id: Id,
    pub(super) kind: Kind,
    pub(super) fields: Map<String, Value>,
}

impl Consumer {
    /// With this user name and nothing else.
    pub fn new(username: &str) -> Self {
        let id = id(&["consumer", username]);
        let username = username.to_owned();
        Self { id, username, custom_id: None, groups: Vec::new(), credentials: Vec::new() }
    }

    /// Known under this id in another system.
    pub fn custom_id(mut self, id: &str) -> Self {
        self.custom_id = Some(id.to_owned());
        self
    }

    /// In this group for access control.
    pub fn group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self.groups.sort();
        self
    }

    /// With an API key.
    pub fn key(self, key: &str) -> Self {
        self.credential(Kind::Key, json!({ "key": key }))
    }

    /// With a user name and a password.
    pub fn basic(self, username: &str, password: &str) -> Self {
        self.credential(Kind::Basic, json!({ "username": username, "password": password }))
    }

    /// With a user name and a secret for signatures.
    pub fn hmac(self, username: &str, secret: &str) -> Self {
        self.credential(Kind::Hmac, json!({ "username": username, "secret": secret }))
    }

    /// With an issuer of JWTs that are signed by HS256 with this secret.
    pub fn jwt(self, key: &str, secret: &str) -> Self {
        self.credential(Kind::Jwt, json!({ "key": key, "secret": secret, "algorithm": "HS256" }))
    }

    /// With a credential of any kind, by its fields: an object, named as in a configuration file. Its `id` is always the
    /// same for what it is looked up by, unless it is among them.
    pub fn credential(mut self, kind: Kind, fields: Value) -> Self {
        let Value::Object(fields) = fields else { return self };
        let text = |name| fields.get(name).and_then(Value::as_str);
        let by = text(looked_up_by(kind)).unwrap_or_default();
        let id = text("id").and_then(read).unwrap_or_else(|| id(&[list(kind), by]));
        self.credentials.push(Credential { id, kind, fields });
        self
    }

    /// It as a configuration file has it.
    pub(super) fn entity(&self) -> Value {
        let mut entity = Map::new();
        entity.insert("id".to_owned(), text(self.id).into());
        entity.insert("username".to_owned(), self.username.as_str().into());
        if let Some(id) = &self.custom_id {
            entity.insert("custom_id".to_owned(), id.as_str().into());
        }
        let groups = self.groups.iter().map(|group| json!({ "group": group }));
        entity.insert("acls".to_owned(), groups.collect());
        for credential in &self.credentials {
            let mut fields = credential.fields.clone();
            fields.insert("id".to_owned(), text(credential.id).into());
            let list = entity.entry(list(credential.kind)).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(fields.into());
            }
        }
        entity.into()
    }
}

impl Credential {
    /// What it is looked up by.
    pub(super) fn key(&self) -> &str {
        self.text(looked_up_by(self.kind)).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// What the upstream is told of it: an API key is a secret, the other names are not (compat P17, P21).
    pub(super) fn identifier(&self) -> String {
        if self.kind == Kind::Key { text(self.id) } else { self.key().to_owned() }
    }

    /// A field that is no secret.
    pub(super) fn open(&self, name: &str) -> Option<&str> {
        let open: &[&str] = match self.kind {
            Kind::Key => &[],
            Kind::Basic | Kind::Hmac => &["username"],
            Kind::Jwt => &["key", "algorithm", "rsa_public_key"],
            Kind::Oauth2 => &["client_id", "name", "client_type"],
        };
        open.contains(&name).then(|| self.text(name))?
    }
}

/// The field that credentials of a kind are looked up by.
const fn looked_up_by(kind: Kind) -> &'static str {
    match kind {
        Kind::Key | Kind::Jwt => "key",
        Kind::Basic | Kind::Hmac => "username",
        Kind::Oauth2 => "client_id",
    }
}

/// The list in a configuration file that credentials of a kind stand in.
const fn list(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "keyauth_credentials",
        Kind::Basic => "basicauth_credentials",
        Kind::Hmac => "hmacauth_credentials",
        Kind::Jwt => "jwt_secrets",
        Kind::Oauth2 => "oauth2_credentials",
    }
}

/// An id that is the same in each run (FNV-1a), in the form of a random UUID (RFC 9562 section 5.4).
pub(super) fn id(names: &[&str]) -> Id {
    let hash = |seed: u64| {
        let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
        bytes.fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let halves = u128::from(hash(0xcbf2_9ce4_8422_2325)) << 64 | u128::from(hash(0x9ae1_6a3b_2f90_404f));
    let versioned = halves & !(0xf000_u128 << 64) | 0x4000_u128 << 64;
    (versioned & !(0b11_u128 << 62) | 0b10_u128 << 62).to_be_bytes()
}

/// An id as text (RFC 9562 section 4).
pub(super) fn text(id: Id) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    parts.iter().filter_map(|(from, to)| hex.get(*from..*to)).collect::<Vec<_>>().join("-")
}

/// The id in a text.
fn read(text: &str) -> Option<Id> {
    let digits = text.replace('-', "");
    (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes))?
}

#[cfg(test)]
mod tests {
    use plugin_contract::consumer::Kind;
    use serde_json::json;

    use super::{Consumer, text};

    #[test]
    fn a_credential_may_say_its_id() {
        let said = "07070707-0707-0707-0707-070707070707";
        let alice = Consumer::new("alice").credential(Kind::Key, json!({ "id": said, "key": "a" }));
        assert_eq!(alice.credentials[0].id, [7; 16]);
        let none = Consumer::new("alice").credential(Kind::Key, json!({ "id": "7", "key": "a" }));
        assert_eq!(none.credentials[0].id, Consumer::new("bob").key("a").credentials[0].id);
    }

    #[test]
    fn ids_are_the_same_each_time_and_differ_by_name() {
        let (one, other) = (Consumer::new("alice").key("a"), Consumer::new("bob").key("b"));
        assert_eq!(Consumer::new("alice").id, one.id);
        assert_ne!(one.id, other.id);
        assert_ne!(one.credentials[0].id, other.credentials[0].id);
        let id = text(one.id);
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
