//! What the host does for guests besides the ABI's own: given by whoever registers the plugin.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use gateway_core::{Body, BoxError, plugin::Exchange};
use http::{Request, Response};

use crate::Status;

/// A callout under way.
pub type Calling = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// Where callouts go. [`GatewayUpstreams`](crate::GatewayUpstreams) sends them through the gateway's own services;
/// an embedder may have its own.
pub trait Upstreams: Send + Sync + 'static {
    /// Sends `request` to the upstream `name`; none where there is no such upstream. Its target is a path and a
    /// query, its `Host` what the guest says. `shard` is the worker that asks. The host keeps the time and bounds
    /// the answer.
    fn call(&self, name: &str, request: Request<Body>, shard: usize) -> Option<Calling>;
}

/// A function that guests call by name with `proxy_call_foreign_function`.
///
/// ```
/// use gateway_core::plugin::Exchange;
/// use gateway_plugins::{ForeignFunction, Returned, Status};
///
/// struct Reverse;
///
/// impl ForeignFunction for Reverse {
///     fn call(&self, arguments: &[u8], _: Option<&Exchange>) -> Result<Returned, Status> {
///         Ok(Returned::Now(arguments.iter().rev().copied().collect()))
///     }
/// }
/// ```
pub trait ForeignFunction: Send + Sync + 'static {
    /// Answers a call. The exchange is there where the callback that calls belongs to a request. It must not block.
    ///
    /// # Errors
    /// What the guest is told.
    fn call(&self, arguments: &[u8], exchange: Option<&Exchange>) -> Result<Returned, Status>;
}

/// What a foreign function gives.
#[non_exhaustive]
pub enum Returned {
    /// Its result.
    Now(Bytes),
    /// Its result, later: the call returns a token, 32 bits and little-endian, and `proxy_on_foreign_function` brings
    /// the result under that number.
    Later(Pin<Box<dyn Future<Output = Bytes> + Send>>),
}

/// The services of one plugin.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pub(crate) upstreams: Option<Arc<dyn Upstreams>>,
    pub(crate) functions: HashMap<String, Arc<dyn ForeignFunction>>,
}

impl Services {
    pub(crate) fn call(&self, name: &str, request: Request<Body>, shard: usize) -> Option<Calling> {
        self.upstreams.as_ref()?.call(name, request, shard)
    }

    pub(crate) fn function(&self, name: &str) -> Option<Arc<dyn ForeignFunction>> {
        self.functions.get(name).cloned()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("functions", &self.functions.keys()).finish_non_exhaustive()
    }
}
