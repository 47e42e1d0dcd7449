//! Which plugin entity a configuration is of.

use gateway_core::config::Plugin;
use uuid::Uuid;

/// A plugin entity, without its config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// Its id; nil where the plugin was configured without an entity.
    pub id: Uuid,
    /// Its label.
    pub instance_name: Option<String>,
    /// The route it is for, if it is for one.
    pub route: Option<Uuid>,
    /// The service it is for, if it is for one.
    pub service: Option<Uuid>,
    /// The consumer it is for, if it is for one.
    pub consumer: Option<Uuid>,
}

impl From<&Plugin> for Entity {
    fn from(plugin: &Plugin) -> Self {
        Self {
            id: plugin.id,
            instance_name: plugin.instance_name.clone(),
            route: plugin.route.map(|route| route.id),
            service: plugin.service.map(|service| service.id),
            consumer: plugin.consumer.map(|consumer| consumer.id),
        }
    }
}
