//! A JWK set at an address: fetched when it is needed, kept while it may be.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use gateway_core::{Body, BoxError};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use plugin_contract::jwt::Algorithm;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    jwk::{self, From},
    keys::Set,
};
use crate::sources::{Reach, Upstreams};

/// The keys at an address.
pub(super) struct Remote {
    upstream: String,
    uri: Uri,
    reach: Reach,
    fresh: Duration,
    algorithms: Vec<Algorithm>,
    upstreams: Arc<dyn Upstreams>,
    shard: usize,
    known: ArcSwap<Known>,
    /// Held by whoever fetches; others wait for it.
    fetching: Mutex<()>,
}

/// What is known of them.
#[derive(Clone, Default)]
struct Known {
    set: Option<Arc<Set>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

/// The keys, when they are there; none where they cannot be fetched.
pub(super) type Fetching = Pin<Box<dyn Future<Output = Option<Arc<Set>>> + Send>>;

/// What there is at once.
pub(super) enum Look {
    Here(Arc<Set>),
    Fetch,
    Nothing,
}

/// No address is asked more often, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(30);
/// Nor one that did not answer: it may be there again.
const RETRY: Duration = Duration::from_secs(5);
/// Keys that cannot be fetched again count for so long.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A fetch takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a set.
const MOST: usize = 256 << 10;

impl Remote {
    /// Nothing where `url` is no address.
    pub(super) fn new(
        (upstream, url, reach): (&str, &str, Reach),
        fresh: u32,
        algorithms: &[Algorithm],
        (upstreams, shard): (Arc<dyn Upstreams>, usize),
    ) -> Option<Self> {
        let uri = url.parse::<Uri>().ok()?;
        let web = uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
        (web && uri.authority().is_some()).then(|| Self {
            upstream: upstream.to_owned(),
            uri,
            reach,
            fresh: Duration::from_secs(fresh.into()).max(PAUSE),
            algorithms: algorithms.to_vec(),
            upstreams,
            shard,
            known: ArcSwap::default(),
            fetching: Mutex::default(),
        })
    }

    /// The keys as far as they can be had now.
    pub(super) fn look(&self) -> Look {
        let known = self.known.load();
        if known.fetched.is_some_and(|at| at.elapsed() < self.fresh)
            && let Some(set) = &known.set
        {
            return Look::Here(Arc::clone(set));
        }
        // Whoever comes while others fetch waits for nothing where there are keys yet.
        let idle = self.fetching.try_lock().is_ok();
        match known.usable() {
            Some(set) if !idle || !known.may_try() => Look::Here(set),
            None if idle && !known.may_try() => Look::Nothing,
            _ => Look::Fetch,
        }
    }

    /// Whether other keys may come for a token that names none of them: by a fetch that is under way, or a new one.
    pub(super) fn may_fetch(&self) -> bool {
        self.known.load().may_try() || self.fetching.try_lock().is_err()
    }

    /// The keys, fetched unless somebody else has just done that.
    pub(super) fn fetch(self: &Arc<Self>) -> Fetching {
        let remote = Arc::clone(self);
        Box::pin(async move {
            let _fetching = remote.fetching.lock().await;
            let mut known = Known::clone(&remote.known.load());
            if known.may_try() {
                known.tried = Some(Instant::now());
                remote.known.store(Arc::new(known.clone()));
                match timeout(PATIENCE, remote.get()).await.unwrap_or_else(|late| Err(late.into())) {
                    Ok(set) => {
                        (known.set, known.fetched) = (Some(Arc::new(set)), Some(Instant::now()));
                        remote.known.store(Arc::new(known.clone()));
                    }
                    Err(error) => {
                        let (upstream, url) = (&*remote.upstream, &remote.uri);
                        tracing::warn!(upstream, %url, %error, "the keys of tokens cannot be fetched");
                    }
                }
            }
            known.usable()
        })
    }

    async fn get(&self) -> Result<Set, BoxError> {
        let mut request = Request::new(Body::empty());
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = target.parse()?;
        request.extensions_mut().insert(self.reach);
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(header::HOST, HeaderValue::from_str(host)?);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let calling = self.upstreams.call(&self.upstream, request, self.shard);
        let (head, body) = calling.ok_or("there is no such upstream")?.await?.into_parts();
        // Whoever can redirect could name the keys.
        if head.status != StatusCode::OK {
            return Err(format!("status {}", head.status.as_u16()).into());
        }
        let body = Limited::new(body, MOST).collect().await?.to_bytes();
        let set = jwk::set(&body, &self.algorithms, From::Address);
        set.ok_or_else(|| "no set of keys came".into())
    }
}

impl Known {
    fn usable(&self) -> Option<Arc<Set>> {
        let recent = self.fetched.is_some_and(|at| at.elapsed() < OLDEST);
        self.set.clone().filter(|_| recent)
    }

    fn may_try(&self) -> bool {
        // What came after the last attempt began came of it.
        let failed = self.tried > self.fetched;
        self.tried.is_none_or(|at| at.elapsed() >= if failed { RETRY } else { PAUSE })
    }
}
