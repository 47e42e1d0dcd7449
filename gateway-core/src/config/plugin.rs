//! A plugin's configuration and the scope it applies in.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Protocol, Reference};

/// One configuration of a plugin. Without service, route and consumer it is global.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plugin {
    /// Identity.
    pub id: Uuid,
    /// Which plugin.
    pub name: String,
    /// Unique label of this configuration.
    pub instance_name: Option<String>,
    /// Off: as if it were not there. Default true.
    pub enabled: bool,
    /// Protocols it applies to. Default grpc, grpcs, http, https.
    pub protocols: Vec<Protocol>,
    /// The plugin's own fields, defaults filled in.
    pub config: Value,
    /// Only for this service.
    pub service: Option<Reference>,
    /// Only for this route.
    pub route: Option<Reference>,
    /// Only for this consumer.
    pub consumer: Option<Reference>,
    /// Only for this consumer group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<Reference>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

impl Plugin {
    /// A global plugin with this configuration, a JSON object.
    ///
    /// ```
    /// use gateway_core::config::{Plugin, Route};
    ///
    /// let route = Route::new("users");
    /// let cors = Plugin::new("cors", serde_json::json!({ "max_age": 600 })).on_route(&route);
    /// assert!(cors.enabled);
    /// ```
    #[must_use]
    pub fn new(name: &str, config: Value) -> Self {
        Self {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            instance_name: None,
            enabled: true,
            protocols: vec![Protocol::Grpc, Protocol::Grpcs, Protocol::Http, Protocol::Https],
            config,
            service: None,
            route: None,
            consumer: None,
            consumer_group: None,
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    /// The same, only for `route`.
    #[must_use]
    pub fn on_route(mut self, route: &super::Route) -> Self {
        self.route = Some(route.id.into());
        self
    }

    /// The same, only for `service`.
    #[must_use]
    pub fn on_service(mut self, service: &super::Service) -> Self {
        self.service = Some(service.id.into());
        self
    }

    /// The same, only for `consumer`.
    #[must_use]
    pub fn on_consumer(mut self, consumer: &super::Consumer) -> Self {
        self.consumer = Some(consumer.id.into());
        self
    }
}
