//! Where what guests ask for comes from: given by whoever registers the plugin.

use std::{future::Future, pin::Pin, sync::Arc};

use gateway_core::{Body, BoxError, config::CredentialKind, identity::Identity, plugin::Exchange};
use http::{Request, Response};
use uuid::Uuid;

use crate::{Counters, KeyValues, RateLimits};

/// A callout under way.
pub type Calling = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// Where callouts go. [`GatewayUpstreams`](crate::GatewayUpstreams) sends them through the gateway's own services;
/// an embedder may have its own.
pub trait Upstreams: Send + Sync + 'static {
    /// Sends `request` to the upstream `name`; none where there is no such upstream. Its target is a path and a
    /// query, its `Host` what the guest says, and a [`Reach`] is among its extensions. `shard` is the worker that asks.
    /// A call of gRPC is of HTTP/2 and has no `Host`: it is for an upstream that speaks HTTP/2, or else there is none. An
    /// origin is spoken to by HTTP/2 then.
    /// The host keeps the time and bounds the answer.
    fn call(&self, name: &str, request: Request<Body>, shard: usize) -> Option<Calling>;
}

/// How far a callout may go, by the words that grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// To what the operator named: a service, or an origin as `https://login.example.com`, wherever that is.
    Named,
    /// To an origin that the operator did not name (`https://*`): to public addresses only.
    Public,
}

/// Where consumers are looked up. [`FromConfig`](crate::FromConfig) is the gateway's own answer.
pub trait Consumers: Send + Sync + 'static {
    /// The owner of the credential with this key.
    fn by_key<'a>(
        &'a self,
        exchange: &'a Exchange,
        kind: CredentialKind,
        key: &str,
    ) -> Option<&'a Arc<Identity>>;

    /// The owner of the credential with this id.
    fn by_credential<'a>(&'a self, exchange: &'a Exchange, id: Uuid) -> Option<&'a Arc<Identity>>;

    /// The consumer with this id or username.
    fn named<'a>(&'a self, exchange: &'a Exchange, name: &str) -> Option<&'a Arc<Identity>>;

    /// The consumer with this `custom_id`.
    fn with_custom_id<'a>(&'a self, exchange: &'a Exchange, id: &str) -> Option<&'a Arc<Identity>>;
}

/// Where secrets are read. [`NodeSecrets`](crate::NodeSecrets) is the gateway's own answer.
pub trait Secrets: Send + Sync + 'static {
    /// What `reference` stands for, without its braces: `vault://env/name`. It is asked once for each configuration,
    /// and only for what that configuration is granted.
    fn get(&self, reference: &str) -> Option<Vec<u8>>;
}

/// The sources of one plugin.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) upstreams: Option<Arc<dyn Upstreams>>,
    pub(crate) consumers: Arc<dyn Consumers>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) rate_limits: Arc<dyn RateLimits>,
    pub(crate) counters: Arc<dyn Counters>,
    pub(crate) values: Arc<dyn KeyValues>,
}

impl Sources {
    pub(crate) fn call(&self, name: &str, request: Request<Body>, shard: usize) -> Option<Calling> {
        self.upstreams.as_ref()?.call(name, request, shard)
    }
}
