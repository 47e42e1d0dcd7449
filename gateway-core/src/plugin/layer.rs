//! An embedder's Tower layer as a link of the chain.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use serde_json::Value;
use tower::{ServiceExt, util::BoxCloneSyncService};
use tower_layer::Layer;
use tower_service::Service;

use super::{Chain, Configured, Exchange, Forward, Plugin};
use crate::{Body, ConnectInfo, config::schema::Record};

/// The rest of a chain, from some link down to the forwarder, as a Tower service.
pub type ChainService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A layer with its type erased.
pub trait ChainLayer: Send + Sync + 'static {
    /// Wraps the rest of the chain.
    fn wrap(&self, rest: ChainService) -> ChainService;
}

/// A chain as a Tower service, for a layer to wrap.
pub(super) struct Rest<F>(Arc<Chain<F>>);

impl<F> Rest<F> {
    pub(super) fn new(chain: &Arc<Chain<F>>) -> Self {
        Self(Arc::clone(chain))
    }
}

impl<F> Clone for Rest<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Forward> Service<Request<Body>> for Rest<F> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let chain = Arc::clone(&self.0);
        Box::pin(async move {
            let carried = request.extensions_mut().remove::<Carried>().unwrap_or_default();
            let mut exchange = carried.take();
            let response = chain.run(&mut request, &mut exchange).await;
            carried.put(exchange);
            Ok(response)
        })
    }
}

/// The exchange on its way through a layer, which knows nothing of it. A layer that calls its inner
/// service twice at a time gives the second call a copy.
#[derive(Clone, Default)]
struct Carried(Arc<Mutex<Option<Exchange>>>);

impl Carried {
    fn take(&self) -> Exchange {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().unwrap_or_else(|| Exchange::new(Arc::new(ConnectInfo::unknown())))
    }

    fn put(&self, exchange: Exchange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    }
}

/// Calls a layered service; what the rest of the chain noted in the exchange comes back with the answer.
pub(super) async fn through(
    service: ChainService,
    mut request: Request<Body>,
    exchange: &mut Exchange,
) -> Response<Body> {
    let carried = Carried::default();
    carried.put(exchange.clone());
    request.extensions_mut().insert(carried.clone());
    let Ok(response) = service.oneshot(request).await;
    *exchange = carried.take();
    response
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
