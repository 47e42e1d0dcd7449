//! The whole configuration as maps of entities, and what differs between two of them.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::{
    CaCertificate, Certificate, Consumer, ConsumerGroup, Credential, Key, KeySet, Plugin, Route, Service,
    Sni, Target, Upstream, Vault,
};

/// Entities of one kind by id.
pub type Entities<T> = BTreeMap<Uuid, Arc<T>>;

/// Declares [`Config`] and [`Change`] from one list of kinds.
macro_rules! kinds {
    ($($(#[$doc:meta])* $field:ident: $entity:ident,)*) => {
        /// A whole configuration: every entity by its id.
        ///
        /// ```
        /// use gateway_core::config::{Config, Route, Service};
        ///
        /// let service = Service::new("users", "127.0.0.1");
        /// let mut route = Route::new("users").to(&service);
        /// route.paths = Some(vec!["/users".into()]);
        /// let config = Config::default().with(service).with(route);
        /// assert_eq!(config.routes.len(), 1);
        /// ```
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct Config {
            $($(#[$doc])* pub $field: Entities<$entity>,)*
        }

        /// What differs between two configurations: for each entity touched its new value,
        /// or nothing where it goes.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct Change {
            $($(#[$doc])* pub $field: BTreeMap<Uuid, Option<Arc<$entity>>>,)*
        }

        impl Config {
            /// What turns `self` into `next`. Entities that are equal do not appear.
            #[must_use]
            pub fn diff(&self, next: &Self) -> Change {
                Change { $($field: diff(&self.$field, &next.$field),)* }
            }

            /// `self` with `change` made.
            #[must_use]
            pub fn apply(&self, change: &Change) -> Self {
                Self { $($field: apply(&self.$field, &change.$field),)* }
            }
        }

        impl Change {
            /// Whether nothing differs.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                true $(&& self.$field.is_empty())*
            }
        }

        $(impl Entity for $entity {
            fn put(self, config: &mut Config) {
                config.$field.insert(self.id, Arc::new(self));
            }
        })*
    };
}

kinds! {
    /// Services.
    services: Service,
    /// Routes.
    routes: Route,
    /// Upstreams.
    upstreams: Upstream,
    /// Targets of upstreams.
    targets: Target,
    /// Consumers.
    consumers: Consumer,
    /// Groups of consumers.
    consumer_groups: ConsumerGroup,
    /// Credentials of consumers.
    credentials: Credential,
    /// Plugins in their scopes.
    plugins: Plugin,
    /// Certificates.
    certificates: Certificate,
    /// TLS server names.
    snis: Sni,
    /// Trust anchors.
    ca_certificates: CaCertificate,
    /// Vaults.
    vaults: Vault,
    /// Sets of keys.
    key_sets: KeySet,
    /// Keys.
    keys: Key,
}

/// Anything that a [`Config`] holds.
pub trait Entity {
    /// Puts it in, in place of one with the same id.
    fn put(self, config: &mut Config);
}

impl Config {
    /// The configuration with this entity in it, in place of one with the same id.
    #[must_use]
    pub fn with(mut self, entity: impl Entity) -> Self {
        entity.put(&mut self);
        self
    }
}

fn diff<T: PartialEq>(old: &Entities<T>, new: &Entities<T>) -> BTreeMap<Uuid, Option<Arc<T>>> {
    let unchanged = |id: &Uuid, entity: &Arc<T>| {
        old.get(id).is_some_and(|before| Arc::ptr_eq(before, entity) || before == entity)
    };
    let changed = new.iter().filter(|(id, entity)| !unchanged(id, entity));
    let gone = old.keys().filter(|id| !new.contains_key(id));
    changed.map(|(id, entity)| (*id, Some(Arc::clone(entity)))).chain(gone.map(|id| (*id, None))).collect()
}

fn apply<T>(old: &Entities<T>, change: &BTreeMap<Uuid, Option<Arc<T>>>) -> Entities<T> {
    let mut new = old.clone();
    for (id, entity) in change {
        match entity {
            Some(entity) => drop(new.insert(*id, Arc::clone(entity))),
            None => drop(new.remove(id)),
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::{super::Service, Config};

    #[test]
    fn applying_the_difference_gives_the_other() {
        let old = Config::default().with(Service::new("a", "h")).with(Service::new("b", "h"));
        let new = Config::default().with(Service::new("b", "h2")).with(Service::new("c", "h"));
        let change = old.diff(&new);
        assert_eq!(change.services.len(), 3);
        assert_eq!(old.apply(&change), new);
        assert!(new.diff(&new.clone()).is_empty());
    }
}
