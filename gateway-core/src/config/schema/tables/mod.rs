//! The table of every kind of entity.

mod certificate;
mod consumer;
mod credential;
mod plugin;
mod route;
mod service;
mod upstream;
mod vault;

use std::sync::LazyLock;

use serde_json::Value;

use super::{Auto, Field, Record, check};

/// The table of the entities in `collection`: `services`, `keyauth_credentials` ...
#[must_use]
pub fn entity(collection: &str) -> Option<&'static Record> {
    EntityKind::named(collection).map(EntityKind::record)
}

/// Declares [`EntityKind`] and what is known of each kind.
macro_rules! entity_kinds {
    ($($kind:ident: $name:literal, $singular:literal, key $key:expr, natural $natural:expr,
       nested [$(($field:literal, $child:ident, $foreign:literal)),*], $record:path;)*) => {
        /// The kinds of entities a declarative file has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(in crate::config) enum EntityKind { $($kind),* }

        static RECORDS: [LazyLock<Record>; EntityKind::ALL.len()] = [$(LazyLock::new($record)),*];

        impl EntityKind {
            pub(in crate::config) const ALL: &[Self] = &[$(Self::$kind),*];

            /// The list it stands in.
            pub(in crate::config) const fn collection(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// What one of them is called.
            pub(in crate::config) const fn singular(self) -> &'static str {
                match self { $(Self::$kind => $singular),* }
            }

            /// The field that names one.
            pub(in crate::config) const fn key(self) -> Option<&'static str> {
                match self { $(Self::$kind => $key),* }
            }

            /// The fields that are unique together, and that give it an id.
            pub(in crate::config) const fn natural(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &$natural),* }
            }

            /// What can be nested in it: the list, its kind, and the field that refers back.
            pub(in crate::config) const fn nested(self) -> &'static [(&'static str, Self, &'static str)] {
                match self { $(Self::$kind => &[$(($field, Self::$child, $foreign)),*]),* }
            }
        }
    };
}

entity_kinds! {
    Vaults: "vaults", "vault", key Some("prefix"), natural [], nested [], vault::vault;
    Certificates: "certificates", "certificate", key None, natural [],
        nested [("snis", Snis, "certificate"), ("services", Services, "client_certificate"),
                ("upstreams", Upstreams, "client_certificate")], certificate::certificate;
    CaCertificates: "ca_certificates", "ca_certificate", key None, natural [], nested [], certificate::ca_certificate;
    Snis: "snis", "sni", key Some("name"), natural [], nested [], certificate::sni;
    Upstreams: "upstreams", "upstream", key Some("name"), natural [],
        nested [("targets", Targets, "upstream")], upstream::upstream;
    Targets: "targets", "target", key None, natural ["upstream", "target"], nested [], upstream::target;
    Services: "services", "service", key Some("name"), natural [],
        nested [("routes", Routes, "service"), ("plugins", Plugins, "service")], service::service;
    Routes: "routes", "route", key Some("name"), natural [],
        nested [("plugins", Plugins, "route")], route::route;
    ConsumerGroups: "consumer_groups", "consumer_group", key Some("name"), natural [],
        nested [("plugins", Plugins, "consumer_group")], consumer::consumer_group;
    Consumers: "consumers", "consumer", key Some("username"), natural [],
        nested [("plugins", Plugins, "consumer"), ("acls", Acls, "consumer"),
                ("basicauth_credentials", BasicauthCredentials, "consumer"),
                ("hmacauth_credentials", HmacauthCredentials, "consumer"),
                ("jwt_secrets", JwtSecrets, "consumer"),
                ("keyauth_credentials", KeyauthCredentials, "consumer"),
                ("oauth2_credentials", Oauth2Credentials, "consumer")], consumer::consumer;
    Acls: "acls", "acl", key None, natural ["consumer", "group"], nested [], credential::acl;
    BasicauthCredentials: "basicauth_credentials", "basicauth_credential", key None, natural [], nested [],
        credential::basic_auth;
    HmacauthCredentials: "hmacauth_credentials", "hmacauth_credential", key None, natural [], nested [],
        credential::hmac_auth;
    JwtSecrets: "jwt_secrets", "jwt_secret", key None, natural [], nested [], credential::jwt;
    KeyauthCredentials: "keyauth_credentials", "keyauth_credential", key None, natural [], nested [],
        credential::key_auth;
    Oauth2Credentials: "oauth2_credentials", "oauth2_credential", key None, natural [], nested [],
        credential::oauth2;
    Plugins: "plugins", "plugin", key None,
        natural ["name", "service", "route", "consumer", "consumer_group"], nested [], plugin::plugin;
    KeySets: "key_sets", "key_set", key Some("name"), natural [], nested [("keys", Keys, "set")], vault::key_set;
    Keys: "keys", "key", key Some("name"), natural ["kid", "set"], nested [], vault::key;
}

impl EntityKind {
    /// The kind whose list is called `collection`.
    pub(in crate::config) fn named(collection: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.collection() == collection)
    }

    /// Whether one of them is a credential of a consumer.
    pub(in crate::config) const fn is_credential(self) -> bool {
        matches!(
            self,
            Self::Acls
                | Self::BasicauthCredentials
                | Self::HmacauthCredentials
                | Self::JwtSecrets
                | Self::KeyauthCredentials
                | Self::Oauth2Credentials
        )
    }

    /// Its table.
    pub(in crate::config) fn record(self) -> &'static Record {
        // The array has one record a kind, in the same order.
        static NONE: LazyLock<Record> = LazyLock::new(Record::default);
        RECORDS.get(self as usize).unwrap_or(&NONE)
    }
}

/// The fields that stand in every table, and those of this one between them.
fn table(fields: Vec<Field>) -> Record {
    let mut all =
        vec![identity("Identity; made from the name where a file says none, random in the Admin API.")];
    all.extend(fields);
    all.push(tags());
    all.push(seconds("created_at", "When it was made, Unix seconds; 0: not known."));
    all.push(seconds("updated_at", "When it was changed last, Unix seconds; 0: not known."));
    Record::new(all)
}

fn identity(doc: &'static str) -> Field {
    Field::string("id").check(check::uuid).pattern(check::UUID).auto(Auto::Id).doc(doc)
}

fn tags() -> Field {
    Field::set("tags", Field::string("").check(check::tag).pattern(check::TAG))
        .doc("Free labels, for filtering.")
}

fn seconds(name: &'static str, doc: &'static str) -> Field {
    Field::integer(name).between(0, i64::MAX).auto(Auto::Time).doc(doc)
}

fn unique_name() -> Field {
    Field::string("name").check(check::name).pattern(check::NAME).unique().doc("Unique name.")
}

/// A map from header names to values.
fn headers(name: &'static str, keys: Field) -> Field {
    Field::map(name, keys, Field::strings("").shortest(0))
}

fn list(values: impl IntoIterator<Item = impl Into<Value>>) -> Value {
    values.into_iter().map(Into::into).collect()
}
