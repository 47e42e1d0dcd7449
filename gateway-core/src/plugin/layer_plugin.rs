//! An embedder's Tower layer as a link of the chain.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use serde_json::Value;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{ChainLayer, ChainService, Configured, Plugin};
use crate::{Body, config::schema::Record};

/// A Tower layer under a plugin's name: `plugins: [{name: audit}]` puts it into the chain at
/// its priority, around every plugin of lower priority and the forwarder.
///
/// ```
/// use gateway_core::plugin::{LayerPlugin, Registry};
/// use tower::layer::layer_fn;
///
/// let registry = Registry::empty().with(LayerPlugin::new("audit", 500, layer_fn(|rest| rest)));
/// assert!(registry.get("audit").is_some());
/// ```
pub struct LayerPlugin {
    name: String,
    priority: i32,
    layer: Arc<dyn ChainLayer>,
    schema: Record,
}

impl LayerPlugin {
    /// `layer` under `name`. Its `config` takes no fields.
    pub fn new<L>(name: &str, priority: i32, layer: L) -> Self
    where
        L: Layer<ChainService> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    {
        Self { name: name.to_owned(), priority, layer: Arc::new(Erased(layer)), schema: Record::default() }
    }
}

impl Plugin for LayerPlugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Ok(Configured::Layer(Arc::clone(&self.layer)))
    }
}

struct Erased<L>(L);

impl<L> ChainLayer for Erased<L>
where
    L: Layer<ChainService> + Send + Sync + 'static,
    L::Service:
        Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
{
    fn wrap(&self, rest: ChainService) -> ChainService {
        BoxCloneSyncService::new(self.0.layer(rest))
    }
}
