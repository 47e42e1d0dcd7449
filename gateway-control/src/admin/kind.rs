//! The table of entity kinds: where each stands in the Admin API and how it is read.

use std::ops::Bound;

use gateway_core::{
    config::{Config, Credential, CredentialKind, Entities, schema},
    router::Flavor,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{control::View, times};

/// Entities as JSON, in the order of their ids.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Value> + 'a>;

/// The credentials that may count for a time only.
const KEYS_WITH_TTL: &str = "keyauth_credentials";

/// One kind of entity.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its list in a declarative file, which is Kong's word for it in messages.
    pub(super) collection: &'static str,
    /// Its place in the Admin API; none: only below its parents.
    pub(super) path: Option<&'static str>,
    /// The field besides the id that finds one.
    pub(super) key: Option<&'static str>,
    /// The kinds it is listed below.
    pub(super) parents: &'static [Parent],
    /// All from an id on.
    pub(super) rows: for<'a> fn(&'a Config, Option<Uuid>) -> Rows<'a>,
}

/// A kind that another is listed below: `/services/{service}/routes`.
#[derive(Debug)]
pub(super) struct Parent {
    /// The parent's list in a declarative file.
    pub(super) collection: &'static str,
    /// The field that refers to the parent.
    pub(super) field: &'static str,
    /// The last segment of the path.
    pub(super) segment: &'static str,
}

const fn below(collection: &'static str, field: &'static str, segment: &'static str) -> Parent {
    Parent { collection, field, segment }
}

const fn kind(
    collection: &'static str,
    path: Option<&'static str>,
    key: Option<&'static str>,
    parents: &'static [Parent],
    rows: for<'a> fn(&'a Config, Option<Uuid>) -> Rows<'a>,
) -> Kind {
    Kind { collection, path, key, parents, rows }
}

/// Every kind.
pub(super) static KINDS: [Kind; 19] = [
    kind("services", Some("services"), Some("name"), &SERVICES, |config, from| rows(&config.services, from)),
    kind("routes", Some("routes"), Some("name"), &ROUTES, |config, from| rows(&config.routes, from)),
    kind("upstreams", Some("upstreams"), Some("name"), &UPSTREAMS, |config, from| {
        rows(&config.upstreams, from)
    }),
    kind("targets", None, Some("target"), &TARGETS, |config, from| rows(&config.targets, from)),
    kind("consumers", Some("consumers"), Some("username"), &[], |config, from| rows(&config.consumers, from)),
    kind("consumer_groups", Some("consumer_groups"), Some("name"), &[], |config, from| {
        rows(&config.consumer_groups, from)
    }),
    kind("plugins", Some("plugins"), Some("instance_name"), &PLUGINS, |config, from| {
        rows(&config.plugins, from)
    }),
    kind("certificates", Some("certificates"), None, &[], |config, from| rows(&config.certificates, from)),
    kind("snis", Some("snis"), Some("name"), &SNIS, |config, from| rows(&config.snis, from)),
    kind("ca_certificates", Some("ca_certificates"), None, &[], |config, from| {
        rows(&config.ca_certificates, from)
    }),
    kind("vaults", Some("vaults"), Some("prefix"), &[], |config, from| rows(&config.vaults, from)),
    kind("key_sets", Some("key-sets"), Some("name"), &[], |config, from| rows(&config.key_sets, from)),
    kind("keys", Some("keys"), Some("name"), &KEYS, |config, from| rows(&config.keys, from)),
    kind("keyauth_credentials", Some("key-auths"), Some("key"), &KEY_AUTH, |config, from| {
        credentials(config, from, CredentialKind::KeyauthCredentials)
    }),
    kind("basicauth_credentials", Some("basic-auths"), Some("username"), &BASIC_AUTH, |config, from| {
        credentials(config, from, CredentialKind::BasicauthCredentials)
    }),
    kind("hmacauth_credentials", Some("hmac-auths"), Some("username"), &HMAC_AUTH, |config, from| {
        credentials(config, from, CredentialKind::HmacauthCredentials)
    }),
    kind("jwt_secrets", Some("jwts"), Some("key"), &JWT, |config, from| {
        credentials(config, from, CredentialKind::JwtSecrets)
    }),
    kind("acls", Some("acls"), Some("group"), &ACLS, |config, from| {
        credentials(config, from, CredentialKind::Acls)
    }),
    kind("oauth2_credentials", Some("oauth2"), Some("client_id"), &OAUTH2, |config, from| {
        credentials(config, from, CredentialKind::Oauth2Credentials)
    }),
];

static SERVICES: [Parent; 1] = [below("certificates", "client_certificate", "services")];
static ROUTES: [Parent; 1] = [below("services", "service", "routes")];
static UPSTREAMS: [Parent; 1] = [below("certificates", "client_certificate", "upstreams")];
static TARGETS: [Parent; 1] = [below("upstreams", "upstream", "targets")];
static PLUGINS: [Parent; 4] = [
    below("services", "service", "plugins"),
    below("routes", "route", "plugins"),
    below("consumers", "consumer", "plugins"),
    below("consumer_groups", "consumer_group", "plugins"),
];
static SNIS: [Parent; 1] = [below("certificates", "certificate", "snis")];
static KEYS: [Parent; 1] = [below("key_sets", "set", "keys")];
static KEY_AUTH: [Parent; 1] = [below("consumers", "consumer", "key-auth")];
static BASIC_AUTH: [Parent; 1] = [below("consumers", "consumer", "basic-auth")];
static HMAC_AUTH: [Parent; 1] = [below("consumers", "consumer", "hmac-auth")];
static JWT: [Parent; 1] = [below("consumers", "consumer", "jwt")];
static ACLS: [Parent; 1] = [below("consumers", "consumer", "acls")];
static OAUTH2: [Parent; 1] = [below("consumers", "consumer", "oauth2")];

impl Kind {
    /// The kind of this list.
    pub(super) fn of(collection: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.collection == collection)
    }

    /// The entity with this id, or with this key.
    pub(super) fn find(&self, view: &View, wanted: &str) -> Option<Value> {
        self.find_among(view, wanted, |_| true)
    }

    /// The same of those that `belong`: two upstreams may have the same target.
    pub(super) fn find_among(
        &self,
        view: &View,
        wanted: &str,
        belong: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let config = view.config();
        if let Ok(id) = Uuid::parse_str(wanted) {
            return self.by_id(config, id).filter(belong);
        }
        if self.collection == "certificates" {
            return self.by_id(config, certificate_for(config, wanted)?).filter(belong);
        }
        let key = self.key?;
        if let Some(checked) = view.checked().filter(|_| self.is_unique(key)) {
            return self.by_id(config, checked.find(self.collection, key, wanted)?).filter(belong);
        }
        let is_it = |row: &Value| row.get(key).and_then(Value::as_str) == Some(wanted) && belong(row);
        // Most ids of a file are made from the name, which saves looking at all.
        let derived = gateway_core::config::derived_id(self.collection, wanted);
        let direct = self.by_id(config, derived).filter(is_it);
        direct.or_else(|| (self.rows)(config, None).find(is_it))
    }

    /// Those that refer to the entity `owner` of the kind above, from an id on: in the order of their ids, but targets
    /// newest first (compat A6).
    pub(super) fn rows_below<'v>(
        &'v self,
        view: &'v View,
        parent: &'v Parent,
        owner: Uuid,
        from: Option<Uuid>,
    ) -> Rows<'v> {
        if self.collection != "targets" {
            return self.referring(view, parent, owner, from);
        }
        let made = |row: &Value| row.get("created_at").and_then(Value::as_f64).unwrap_or_default();
        let mut rows: Vec<_> = self.referring(view, parent, owner, None).collect();
        rows.sort_by(|a, b| made(b).total_cmp(&made(a)));
        let from = from.map(|from| from.to_string());
        let is_before = move |row: &Value| from.is_some() && id_of(row) != from.as_deref();
        Box::new(rows.into_iter().skip_while(is_before))
    }

    fn referring<'v>(
        &'v self,
        view: &'v View,
        parent: &'v Parent,
        owner: Uuid,
        from: Option<Uuid>,
    ) -> Rows<'v> {
        let id = owner.to_string();
        let belongs = move |row: &Value| row.get(parent.field).and_then(id_of) == Some(id.as_str());
        let Some(checked) = view.checked() else {
            return Box::new((self.rows)(view.config(), from).filter(belongs));
        };
        let users = checked.users_of(parent.collection, owner);
        let own = users.filter(move |(by, id)| *by == self.collection && from.is_none_or(|from| from <= *id));
        Box::new(own.filter_map(|(_, id)| self.by_id(view.config(), id)).filter(belongs))
    }

    fn is_unique(&self, key: &str) -> bool {
        let field = schema::entity(self.collection).and_then(|record| record.field(key));
        field.is_some_and(|field| field.unique)
    }

    /// Whether there is a credential of this id whose time is over: it is kept until somebody takes it out, but it is
    /// not shown, and its key is free.
    pub(super) fn is_over(&self, config: &Config, id: Uuid) -> bool {
        let credential = config.credentials.get(&id).filter(|_| self.collection == KEYS_WITH_TTL);
        credential.is_some_and(|credential| is_over(credential, times::unix()))
    }

    /// The entity with this id.
    pub(super) fn by_id(&self, config: &Config, id: Uuid) -> Option<Value> {
        let first = (self.rows)(config, Some(id)).next()?;
        (first.get("id")?.as_str()? == id.to_string()).then_some(first)
    }
}

/// A row as it is shown: in the flavour `expressions` each route has its two fields (compat A4), and a certificate
/// names its servers.
pub(super) fn shown(config: &Config, collection: &str, flavor: Flavor, mut row: Value) -> Value {
    let names = (collection == "certificates").then(|| names(config, id_of(&row).unwrap_or_default()));
    let Some(fields) = row.as_object_mut() else { return row };
    if let Some(names) = names {
        fields.insert("snis".to_owned(), names.into());
    }
    if let ("routes", Flavor::Expressions) = (collection, flavor) {
        fields.entry("expression").or_insert(Value::Null);
        fields.entry("priority").or_insert(0.into());
    }
    row
}

/// What is left of the `ttl` in a reply, in its place. Tags and changes are about what is kept.
pub(super) fn count_down(collection: &str, row: &mut Value) {
    if collection != KEYS_WITH_TTL {
        return;
    }
    let seconds = |name: &str| row.get(name).and_then(Value::as_u64).filter(|seconds| *seconds > 0);
    let Some((made, ttl)) = seconds("created_at").zip(seconds("ttl")) else { return };
    // It was not over when it was looked up.
    row["ttl"] = made.saturating_add(ttl).saturating_sub(times::unix()).max(1).into();
}

fn is_over(credential: &Credential, now: u64) -> bool {
    credential.expires().is_some_and(|end| end <= now)
}

/// The certificate for the server of this name.
fn certificate_for(config: &Config, name: &str) -> Option<Uuid> {
    config.snis.values().find(|sni| sni.name == name).map(|sni| sni.certificate.id)
}

/// The names that a certificate is for, in order.
fn names(config: &Config, certificate: &str) -> Vec<String> {
    let Ok(certificate) = Uuid::parse_str(certificate) else { return Vec::new() };
    let own = config.snis.values().filter(|sni| sni.certificate.id == certificate);
    let mut names: Vec<_> = own.map(|sni| sni.name.clone()).collect();
    names.sort();
    names
}

/// The id of an entity, as text.
pub(super) fn id_of(row: &Value) -> Option<&str> {
    row.get("id").and_then(Value::as_str)
}

fn rows<T: Serialize>(entities: &Entities<T>, from: Option<Uuid>) -> Rows<'_> {
    let range = entities.range((from.map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded));
    // Entities are structs of texts, numbers and lists: they always serialise.
    Box::new(range.map(|(_, entity)| serde_json::to_value(entity).unwrap_or_default()))
}

fn credentials(config: &Config, from: Option<Uuid>, kind: CredentialKind) -> Rows<'_> {
    let range = config.credentials.range((from.map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded));
    let now = times::unix();
    let counts = move |it: &Credential| it.kind == kind && !is_over(it, now);
    Box::new(range.filter(move |(_, it)| counts(it)).map(|(_, it)| credential(it)))
}

fn credential(credential: &Credential) -> Value {
    let mut value = serde_json::to_value(credential).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
    }
    value
}
