//! The whole configuration as maps of entities, and what differs between two of them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CaCertificate, Certificate, Consumer, ConsumerGroup, Credential, Entities, Key, KeySet, Plugin, Route,
    Service, Sni, Target, Upstream, Vault,
};

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
        ///
        /// As JSON it is an object of kinds, each an object of entities by id, with `null` for one that goes. What
        /// `{vault://...}` stands for is in it as it is in the entities, and so are secrets.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct Change {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "BTreeMap::is_empty")]
                pub $field: BTreeMap<Uuid, Option<Arc<$entity>>>,
            )*
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

            /// Those of its entities that `change` gives a new value, or takes away.
            pub(super) fn named_in(&self, change: &Change) -> Self {
                Self { $($field: named(&self.$field, &change.$field),)* }
            }

            /// The entities of both; where an id is in both, those of `self`.
            pub(super) fn union(self, other: Self) -> Self {
                Self { $($field: self.$field.union(other.$field),)* }
            }

            /// The same without the entities of `other`.
            pub(super) fn without(&self, other: &Self) -> Self {
                Self { $($field: self.$field.without(&other.$field),)* }
            }

            /// The same, with the values of `other` in place of those that equal them.
            pub(super) fn sharing(&self, other: &Self) -> Self {
                Self { $($field: self.$field.sharing(&other.$field),)* }
            }
        }

        impl Change {
            /// Whether nothing differs.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                true $(&& self.$field.is_empty())*
            }

            /// The new values.
            pub(super) fn puts(&self) -> Config {
                Config { $($field: apply(&Entities::default(), &self.$field),)* }
            }
        }

        $(impl Entity for $entity {
            fn id(&self) -> Uuid {
                self.id
            }

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
    /// Its id.
    fn id(&self) -> Uuid;

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
    old.diff(new).map(|(id, entity)| (id, entity.cloned())).collect()
}

/// The id that an entity has itself counts, not the one that it stands under.
fn apply<T: Entity>(old: &Entities<T>, change: &BTreeMap<Uuid, Option<Arc<T>>>) -> Entities<T> {
    let mut new = old.clone();
    for (id, entity) in change {
        if entity.as_ref().is_none_or(|entity| entity.id() != *id) {
            new.remove(id);
        }
        if let Some(entity) = entity {
            new.insert(entity.id(), Arc::clone(entity));
        }
    }
    new
}

fn named<T: Entity>(old: &Entities<T>, change: &BTreeMap<Uuid, Option<Arc<T>>>) -> Entities<T> {
    let own = change.values().flatten().map(|entity| entity.id());
    let named = change.keys().copied().chain(own);
    named.filter_map(|id| Some((id, Arc::clone(old.get(&id)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Service, Config};

    #[test]
    fn a_change_is_json_and_back() {
        let old = Config::default().with(Service::new("a", "h"));
        let change = old.diff(&Config::default().with(Service::new("b", "h")));
        let text = serde_json::to_string(&change).unwrap();
        assert!(text.starts_with("{\"services\":{"), "no kind that it does not touch: {text}");
        assert_eq!(serde_json::from_str::<super::Change>(&text).unwrap(), change);
        assert!(serde_json::from_str::<super::Change>(r#"{"gadgets":{}}"#).is_err(), "of a later version");
    }

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
