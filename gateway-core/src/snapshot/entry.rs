//! What a route leads to.

use std::sync::Arc;

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};

use super::speaks::Speaks;
use crate::{
    config::{PathHandling, Route},
    error::Reason,
    forwarder::Forwarder,
    observe::RouteMetrics,
    plugin::{Chain, Matched},
    router::{append, join},
    sanitize::climbs_decoded,
};

/// A route, compiled: its plugins around its forwarder, and what the gateway must know before them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) matched: Arc<Matched>,
    pub(crate) chain: Chain<Forwarder>,
    pub(crate) metrics: Arc<RouteMetrics>,
    /// By which protocol its requests must come.
    pub(crate) speaks: Speaks,
    /// How paths are joined, as its flavour reads the route.
    path_handling: PathHandling,
    /// Whether something asks for what the route's expression takes out of the path.
    pub(crate) captures: bool,
}

impl Entry {
    pub(crate) fn new(
        matched: Arc<Matched>,
        chain: Chain<Forwarder>,
        metrics: Arc<RouteMetrics>,
        path_handling: PathHandling,
    ) -> Self {
        let speaks = Speaks::of(&matched.route.protocols);
        Self { matched, chain, metrics, speaks, path_handling, captures: false }
    }

    /// The same for requests whose captures are wanted, or not.
    pub(crate) const fn capturing(mut self, captures: bool) -> Self {
        self.captures = captures;
        self
    }

    pub(crate) fn route(&self) -> &Route {
        &self.matched.route
    }

    /// The target that the service is asked for (compat P38), where it differs from `target`, of
    /// whose path the route has matched `matched` bytes.
    ///
    /// # Errors
    /// [`Reason::BadPath`]: what the route leaves of the path climbs above the root once its `%2F` are
    /// slashes, though the whole path does not.
    pub(crate) fn target(&self, target: &Uri, matched: usize) -> Result<Option<Uri>, Reason> {
        let service = self.matched.service.as_ref().and_then(|service| service.path.as_deref());
        let join = match self.path_handling {
            PathHandling::V0 => join,
            PathHandling::V1 => append,
        };
        let path = join(service, target.path(), self.route().strip_path.then_some(matched));
        if path.to_str() == Some(target.path()) {
            return Ok(None);
        }
        if climbs_decoded(path.rest()) {
            return Err(Reason::BadPath);
        }
        let query = target.query();
        let mut text = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
        path.append_to(&mut text);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        Ok(PathAndQuery::from_maybe_shared(Bytes::from(text)).ok().map(Uri::from))
    }
}
