//! What a route leads to.

use std::sync::Arc;

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};

use crate::{
    config::{Protocol, Route},
    forwarder::Forwarder,
    observe::RouteMetrics,
    plugin::{Chain, Matched},
    router::join,
};

/// A route, compiled: its plugins around its forwarder, and what the gateway must know before them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) matched: Arc<Matched>,
    pub(crate) chain: Chain<Forwarder>,
    pub(crate) metrics: Arc<RouteMetrics>,
    /// Whether it takes requests in clear.
    pub(crate) clear: bool,
}

impl Entry {
    pub(crate) fn new(matched: Arc<Matched>, chain: Chain<Forwarder>, metrics: Arc<RouteMetrics>) -> Self {
        let clear = |protocol: &Protocol| matches!(protocol, Protocol::Http | Protocol::Grpc);
        let clear = matched.route.protocols.iter().any(clear);
        Self { matched, chain, metrics, clear }
    }

    pub(crate) fn route(&self) -> &Route {
        &self.matched.route
    }

    /// The target that the service is asked for (compat P38), where it differs from `target`, of
    /// whose path the route has matched `matched` bytes.
    pub(crate) fn target(&self, target: &Uri, matched: usize) -> Option<Uri> {
        let service = self.matched.service.as_ref().and_then(|service| service.path.as_deref());
        let path = join(service, target.path(), self.route().strip_path.then_some(matched));
        if path.to_str() == Some(target.path()) {
            return None;
        }
        let query = target.query();
        let mut text = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
        path.append_to(&mut text);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(text)).ok().map(Uri::from)
    }
}
