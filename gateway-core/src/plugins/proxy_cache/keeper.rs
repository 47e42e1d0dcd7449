//! Which answers are stored, and storing them while they pass.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response};
use http_body::Body as _;

use super::{
    fill::Fill,
    freshness::Freshness,
    key::Key,
    policy::{Policy, stored_headers, vary},
    store::{Answer, Arriving, Store},
};
use crate::{Body, body::Passing};

/// What decides which answers are stored, and where they are.
pub(super) struct Keeper {
    pub(super) policy: Policy,
    pub(super) store: Arc<Store>,
}

impl Keeper {
    /// How long an answer may be used and what it depends on, if it is stored.
    pub(super) fn admit(&self, response: &Response<Body>) -> Option<(Freshness, Vec<HeaderName>)> {
        let freshness = self.policy.admits(response.status(), response.headers(), SystemTime::now())?;
        let fits = response.body().size_hint().lower() <= self.store.largest() as u64;
        Some((freshness, vary(response.headers())?)).filter(|_| fits)
    }

    /// The same answer, stored once its last byte has passed.
    pub(super) fn keep(
        self: &Arc<Self>,
        wanted: &Arc<Wanted>,
        freshness: Freshness,
        vary: Vec<HeaderName>,
        response: Response<Body>,
    ) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let stored = Instant::now();
        let answer = Answer {
            status: parts.status,
            headers: stored_headers(&wanted.method, &parts.headers),
            body: Bytes::new(),
            stored,
            freshness,
            gone: self.policy.gone(&freshness, stored),
        };
        let (keeper, wanted) = (Arc::clone(self), Arc::clone(wanted));
        let store = move |bytes: Bytes| {
            keeper.store.put(wanted.key, vary, &wanted.headers, Answer { body: bytes, ..answer });
        };
        let body = if body.is_end_stream() {
            store(Bytes::new());
            body
        } else {
            Body::new(Passing::new(body, Fill::new(Arriving::new(Arc::clone(&self.store)), store)))
        };
        Response::from_parts(parts, body)
    }
}

/// A request whose answer may be stored.
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
}
