//! A configuration in which everything is right, with what it takes to check a change of it.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Config, Service, Upstream,
    index::{self, Index, Key, Named},
    schema::EntityKind,
};

/// A configuration in which everything is right, and what is known of it: which keys are taken, and what refers to
/// what. With that a change is checked in proportion to the change, not to the whole.
///
/// It comes from a file ([`parse`](Self::parse)), from typed entities ([`of`](Self::of)), or from the one before
/// ([`apply`](Self::apply)). A clone costs nothing. Plugins and
/// secrets are those of the options it was checked with; a gateway takes what was checked with its own.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub(super) config: Config,
    pub(super) index: Index,
}

impl Checked {
    pub(super) fn with_index(
        config: Config,
        keys: impl IntoIterator<Item = (Key, Uuid)>,
        uses: Vec<(Named, Named)>,
    ) -> Self {
        let mut index = Index::default();
        index.insert(keys, uses);
        Self { config, index }
    }

    /// The entities.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The entities alone.
    #[must_use]
    pub fn into_config(self) -> Config {
        self.config
    }

    /// The same, where entities that equal those of `other` are those: one allocation for both.
    #[must_use]
    pub fn sharing(self, other: &Config) -> Self {
        Self { config: self.config.sharing(other), index: self.index }
    }

    /// The id of the entity of `collection` that alone may have this value in this field.
    ///
    /// ```
    /// use gateway_core::{config::{Checked, Config, Service}, plugin::Registry};
    ///
    /// let users = Service::new("users", "users.internal");
    /// let checked = Checked::of(&Config::default().with(users.clone()), &Registry::empty()).unwrap();
    /// assert_eq!(checked.find("services", "name", "users"), Some(users.id));
    /// ```
    #[must_use]
    pub fn find(&self, collection: &str, field: &str, value: &str) -> Option<Uuid> {
        let kind = EntityKind::named(collection)?;
        let unique = kind.record().fields.iter().find(|known| known.unique && known.name == field)?;
        self.index.holder(&Key { kind, field: unique.name.as_ref(), value: value.into() })
    }

    /// Whether there is an entity of this collection and id.
    #[must_use]
    pub fn has(&self, collection: &str, id: Uuid) -> bool {
        EntityKind::named(collection).is_some_and(|kind| self.config.has(kind, id))
    }

    /// What refers to an entity: the collection and the id of each.
    pub fn users_of(&self, collection: &str, id: Uuid) -> impl Iterator<Item = (&'static str, Uuid)> {
        let users =
            EntityKind::named(collection).into_iter().flat_map(move |kind| self.index.users((kind, id)));
        users.map(|(by, user)| (by.collection(), user))
    }

    /// The fields that an entity of `collection` has in common with another one than `id`, and must not: those that
    /// are unique together first. References are `{"id": ..}`.
    #[must_use]
    pub fn taken(
        &self,
        collection: &str,
        id: Uuid,
        fields: &Map<String, Value>,
    ) -> Option<Vec<&'static str>> {
        let kind = EntityKind::named(collection)?;
        let others = |key: &Key| self.index.holder(key).is_some_and(|holder| holder != id);
        let key = index::keys(kind, fields).find(others)?;
        Some(if key.field.is_empty() { kind.natural().to_vec() } else { vec![key.field] })
    }

    /// The ids of the routes that lead to this service.
    pub(crate) fn routes_of(&self, service: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::Services, service), EntityKind::Routes)
    }

    /// The upstream with this name.
    pub(crate) fn upstream_named(&self, name: &str) -> Option<&Arc<Upstream>> {
        let key = Key { kind: EntityKind::Upstreams, field: "name", value: name.into() };
        self.config.upstreams.get(&self.index.holder(&key)?)
    }

    /// The service with this name, or else this id.
    pub(crate) fn service_named(&self, name: &str) -> Option<&Arc<Service>> {
        let key = Key { kind: EntityKind::Services, field: "name", value: name.into() };
        let id = self.index.holder(&key).or_else(|| Uuid::parse_str(name).ok())?;
        self.config.services.get(&id)
    }

    /// The ids of the targets of this upstream.
    pub(crate) fn targets_of(&self, upstream: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::Upstreams, upstream), EntityKind::Targets)
    }

    /// The ids of the services that show this certificate to their upstream.
    pub(crate) fn services_showing(&self, certificate: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::Certificates, certificate), EntityKind::Services)
    }

    /// The ids of the upstreams that show this certificate.
    pub(crate) fn upstreams_showing(&self, certificate: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::Certificates, certificate), EntityKind::Upstreams)
    }

    /// The ids of the services that trust this anchor.
    pub(crate) fn services_trusting(&self, anchor: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::CaCertificates, anchor), EntityKind::Services)
    }

    /// The ids of the credentials of this consumer, its groups left aside.
    pub(crate) fn credentials_of(&self, consumer: Uuid) -> impl Iterator<Item = Uuid> {
        let users = self.index.users((EntityKind::Consumers, consumer));
        users.filter(|(by, _)| by.is_credential() && *by != EntityKind::Acls).map(|(_, id)| id)
    }

    /// The ids of the groups of this consumer.
    pub(crate) fn groups_of(&self, consumer: Uuid) -> impl Iterator<Item = Uuid> {
        self.users((EntityKind::Consumers, consumer), EntityKind::Acls)
    }

    fn users(&self, of: Named, kind: EntityKind) -> impl Iterator<Item = Uuid> {
        self.index.users(of).filter(move |(by, _)| *by == kind).map(|(_, id)| id)
    }
}
