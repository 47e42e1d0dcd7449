//! A Tower layer in the chain, and the exchange on its way through it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, Response};
use tower::{ServiceExt, util::BoxCloneSyncService};

use super::Exchange;
use crate::{Body, ConnectInfo};

/// The rest of a chain, from some link down to the forwarder, as a Tower service.
pub type ChainService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A layer with its type erased.
pub trait ChainLayer: Send + Sync + 'static {
    /// Wraps the rest of the chain.
    fn wrap(&self, rest: ChainService) -> ChainService;
}

/// The exchange on its way through a layer, which knows nothing of it. A layer that calls its inner
/// service twice at a time gives the second call a copy.
#[derive(Clone, Default)]
pub(super) struct Carried(Arc<Mutex<Option<Exchange>>>);

impl Carried {
    pub(super) fn take(&self) -> Exchange {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().unwrap_or_else(|| Exchange::new(Arc::new(ConnectInfo::unknown())))
    }

    pub(super) fn put(&self, exchange: Exchange) {
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
