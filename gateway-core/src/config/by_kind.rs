//! Entities by kind, whatever their type.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Config, Credential, Entities, schema::EntityKind};

/// Does the same with the entities of `$kind`, whatever their type is.
macro_rules! with_entities {
    ($config:expr, $kind:expr, |$entities:ident| $do:expr) => {
        with_entities!(@ $config, $kind, $entities, $do,
            Vaults vaults, Certificates certificates, CaCertificates ca_certificates, Snis snis,
            Upstreams upstreams, Targets targets, Services services, Routes routes,
            ConsumerGroups consumer_groups, Consumers consumers, Acls credentials,
            BasicauthCredentials credentials, HmacauthCredentials credentials, JwtSecrets credentials,
            KeyauthCredentials credentials, Oauth2Credentials credentials, Plugins plugins,
            KeySets key_sets, Keys keys)
    };
    (@ $config:expr, $kind:expr, $entities:ident, $do:expr, $($each:ident $field:ident),*) => {
        match $kind {
            $(EntityKind::$each => {
                let $entities = &$config.$field;
                $do
            })*
        }
    };
}

impl Config {
    /// The ids of one kind, in order.
    pub(super) fn ids_of(&self, kind: EntityKind) -> Vec<Uuid> {
        with_entities!(self, kind, |entities| entities
            .iter()
            .filter(|(_, entity)| entity.is_of(kind))
            .map(|(id, _)| *id)
            .collect())
    }

    /// Whether there is an entity of this kind and id.
    pub(super) fn has(&self, kind: EntityKind, id: Uuid) -> bool {
        with_entities!(self, kind, |entities| entities.get(&id).is_some_and(|entity| entity.is_of(kind)))
    }

    /// One entity as a declarative file has it, without the fields that are null.
    pub(super) fn value_of(&self, kind: EntityKind, id: Uuid) -> Option<Value> {
        with_entities!(self, kind, |entities| entities
            .get(&id)
            .filter(|entity| entity.is_of(kind))
            .map(|entity| value(entity, kind)))
    }

    /// All of one kind as a declarative file has them.
    pub(super) fn values_of(&self, kind: EntityKind) -> Vec<Value> {
        with_entities!(self, kind, |entities| entities
            .values()
            .filter(|entity| entity.is_of(kind))
            .map(|entity| value(entity, kind))
            .collect())
    }

    /// Takes the entity of this kind and id over from `other`, if it is there.
    pub(super) fn take_over(&mut self, other: &Self, kind: EntityKind, id: Uuid) {
        macro_rules! take {
            ($($each:ident $field:ident),*) => {
                match kind {
                    $(EntityKind::$each => copy(&mut self.$field, &other.$field, id),)*
                    _ => copy(&mut self.credentials, &other.credentials, id),
                }
            };
        }
        take!(
            Vaults vaults, Certificates certificates, CaCertificates ca_certificates, Snis snis,
            Upstreams upstreams, Targets targets, Services services, Routes routes,
            ConsumerGroups consumer_groups, Consumers consumers, Plugins plugins, KeySets key_sets, Keys keys
        );
    }
}

fn copy<T>(to: &mut Entities<T>, from: &Entities<T>, id: Uuid) {
    if let Some(entity) = from.get(&id) {
        to.insert(id, Arc::clone(entity));
    }
}

fn value<T: Serialize>(entity: &Arc<T>, kind: EntityKind) -> Value {
    // Entities are structs of texts, numbers and lists: they always serialise.
    let mut value = serde_json::to_value(entity).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        if kind.is_credential() {
            fields.remove("kind");
        }
    }
    value
}

/// Credentials of all kinds are in one map; of the others each kind has its own.
trait OfKind {
    fn is_of(&self, kind: EntityKind) -> bool;
}

macro_rules! each_in_its_own_map {
    ($($entity:ident),*) => {
        $(impl OfKind for Arc<super::$entity> {
            fn is_of(&self, _: EntityKind) -> bool {
                true
            }
        })*
    };
}

each_in_its_own_map!(
    CaCertificate,
    Certificate,
    Consumer,
    ConsumerGroup,
    Key,
    KeySet,
    Plugin,
    Route,
    Service,
    Sni,
    Target,
    Upstream,
    Vault
);

impl OfKind for Arc<Credential> {
    fn is_of(&self, kind: EntityKind) -> bool {
        self.kind.collection() == kind.collection()
    }
}
