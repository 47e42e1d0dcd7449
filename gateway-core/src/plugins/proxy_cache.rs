//! Answers kept for the next client, as Kong's plugin `proxy-cache` keeps them (compat A10, P29).

mod config;
mod directives;
mod fill;
mod freshness;
mod keeper;
mod key;
mod media;
mod policy;
mod store;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{AGE, CONTENT_LENGTH},
};
use http_body::Body as _;
use serde_json::Value;

use config::{Config, Shown, schema};
use directives::Directives;
use freshness::Verdict;
use keeper::{Keeper, Wanted};
use key::{Key, Varying};
use policy::has_already;
use store::{Answer, Store};

use crate::{
    Body,
    config::schema::Record,
    plugin::{Configured, Exchange, Flow, Handler, Plugin, Source},
};

const X_CACHE_STATUS: HeaderName = HeaderName::from_static("x-cache-status");
const X_CACHE_KEY: HeaderName = HeaderName::from_static("x-cache-key");

/// Bytes of a dictionary unless another size is given: Kong's `mem_cache_size`.
const CAPACITY: usize = 128 << 20;

/// Answers from memory what an upstream has answered before.
///
/// A key is made of all that an upstream is told of a request but for its fields and its body; of those, the ones in
/// `vary_headers` and those that the answer's `Vary` names. What is stored is the upstream's answer before any
/// plugin has changed it: each client gets it through the plugins as if it came from the upstream.
#[derive(Debug)]
pub struct ProxyCache {
    schema: Record,
    capacity: usize,
    /// By name, each there as long as a configuration uses it.
    dictionaries: Mutex<HashMap<String, Weak<Store>>>,
}

impl ProxyCache {
    /// The plugin, with 128 MiB for each dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// The plugin, with about so many bytes for each dictionary. A sixteenth of it is the largest answer.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { schema: schema(), capacity: bytes, dictionaries: Mutex::default() }
    }

    fn dictionary(&self, name: &str) -> Result<Arc<Store>, String> {
        let mut dictionaries = self.dictionaries.lock().unwrap_or_else(PoisonError::into_inner);
        dictionaries.retain(|_, store| store.strong_count() > 0);
        if let Some(store) = dictionaries.get(name).and_then(Weak::upgrade) {
            return Ok(store);
        }
        let store = Arc::new(Store::new(self.capacity)?);
        dictionaries.insert(name.to_owned(), Arc::downgrade(&store));
        Ok(store)
    }
}

impl Default for ProxyCache {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for ProxyCache {
    fn name(&self) -> &'static str {
        "proxy-cache"
    }

    fn priority(&self) -> i32 {
        100
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let (policy, varying) = (config.policy()?, config.varying()?);
        let (store, shown) = (self.dictionary(config.dictionary())?, config.shown());
        let cache = Arc::new(Keeper { policy, store });
        Ok(Configured::handler(ProxyCacheHandler { cache, varying, shown }))
    }
}

struct ProxyCacheHandler {
    cache: Arc<Keeper>,
    varying: Varying,
    shown: Shown,
}

/// What the cache did with a request.
#[derive(Clone, Copy)]
struct Found {
    status: Status,
    key: Option<Key>,
    /// Of a stored answer, seconds.
    age: Option<u64>,
}

/// The words of `X-Cache-Status`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Bypass,
    Hit,
    Miss,
    Refresh,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Bypass => "Bypass",
            Self::Hit => "Hit",
            Self::Miss => "Miss",
            Self::Refresh => "Refresh",
        }
    }
}

impl Handler for ProxyCacheHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let asked = Directives::of(request.headers());
        if !self.takes(request, exchange, &asked) {
            self.invalidate(request, exchange);
            exchange.extensions.insert(Found { status: Status::Bypass, key: None, age: None });
            return Flow::Continue;
        }
        let key = self.varying.key(request.method(), request, exchange);
        let now = Instant::now();
        let answer = self.cache.store.get(&key, request.headers(), now);
        let status = match answer {
            Some(answer) => {
                let age = answer.freshness.age(now.saturating_duration_since(answer.stored));
                if self.cache.policy.judge(&answer, age, &asked) == Verdict::Use {
                    exchange.extensions.insert(Found { status: Status::Hit, key: Some(key), age: Some(age) });
                    return Flow::reply(self.hit(&answer, request));
                }
                Status::Refresh
            }
            None => Status::Miss,
        };
        exchange.extensions.insert(Found { status, key: Some(key), age: None });
        if self.cache.policy.cache_control && asked.only_if_cached {
            return Flow::reply(not_cached());
        }
        self.keep_answer(key, request, exchange);
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        // A plugin of higher priority has answered: the cache was not asked.
        let Some(found) = exchange.extensions.get::<Found>() else { return Flow::Continue };
        let failed = found.status != Status::Hit && exchange.source == Source::Error;
        let status = if failed { Status::Bypass } else { found.status };
        if found.status == Status::Hit {
            // What is kept is the upstream's, a failure as well.
            exchange.reason = None;
        }
        let shown = |switch: Option<bool>| switch.unwrap_or(true) || exchange.debug;
        let headers = response.headers_mut();
        if shown(self.shown.status) {
            headers.insert(X_CACHE_STATUS, HeaderValue::from_static(status.word()));
        }
        if let Some(key) = found.key.filter(|_| shown(self.shown.key))
            && let Ok(key) = HeaderValue::try_from(key.to_string())
        {
            headers.insert(X_CACHE_KEY, key);
        }
        if let Some(age) = found.age.filter(|_| shown(self.shown.age)) {
            headers.insert(AGE, HeaderValue::from(age));
        }
        Flow::Continue
    }
}

impl ProxyCacheHandler {
    /// Whether the cache has to do with a request. Where the method gives a body no meaning, one that has a body is
    /// left alone: the key does not know it, and the upstream may heed it (docs/threat-model.md, C2).
    fn takes(&self, request: &Request<Body>, exchange: &Exchange, asked: &Directives) -> bool {
        let bodiless = matches!(*request.method(), Method::GET | Method::HEAD);
        exchange.upgrade.is_none()
            && (!bodiless || request.body().is_end_stream())
            && self.cache.policy.takes(request.method(), request.headers(), asked)
    }

    /// A stored answer; no body for a client that has it already.
    fn hit(&self, answer: &Answer, request: &Request<Body>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = answer.headers.clone();
        if self.cache.policy.cache_control && has_already(request.headers(), &answer.headers) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(CONTENT_LENGTH);
        } else {
            *response.status_mut() = answer.status;
            *response.body_mut() = Body::from(answer.body.clone());
        }
        response
    }

    /// Lets the upstream's answer be stored under `key`.
    fn keep_answer(&self, key: Key, request: &Request<Body>, exchange: &mut Exchange) {
        let (cache, method, headers) =
            (Arc::clone(&self.cache), request.method().clone(), request.headers().clone());
        let wanted = Arc::new(Wanted { key, method, headers });
        exchange.tap(move |response, exchange| match cache.admit(&response) {
            Some((freshness, vary)) => cache.keep(&wanted, freshness, vary, response),
            None => {
                exchange.extensions.insert(Found { status: Status::Bypass, key: Some(key), age: None });
                response
            }
        });
    }

    /// A request that changes something makes what is stored of its target unusable, unless it fails
    /// (RFC 9111 4.4).
    fn invalidate(&self, request: &Request<Body>, exchange: &mut Exchange) {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        if safe || !self.cache.policy.cache_control {
            return;
        }
        let keys = [Method::GET, Method::HEAD].map(|method| self.varying.key(&method, request, exchange));
        let cache = Arc::clone(&self.cache);
        exchange.tap(move |response, _| {
            if response.status().as_u16() < 400 {
                keys.iter().for_each(|key| cache.store.remove(key));
            }
            response
        });
    }
}

/// RFC 9111 5.2.1.7.
fn not_cached() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ProxyCache;
    use crate::plugin::Plugin;

    #[test]
    fn what_cannot_be_stored_or_named_is_refused_with_its_field() {
        for (field, value) in [
            ("response_code", json!([200, 206])),
            ("response_code", json!([304])),
            ("response_code", json!([101])),
            ("storage_ttl", json!(-1)),
            ("vary_headers", json!(["a b"])),
        ] {
            let why =
                ProxyCache::new().configure(&json!({ "strategy": "memory", field: value })).unwrap_err();
            assert!(why.starts_with(&format!("{field}: ")), "{why}");
        }
    }

    #[test]
    fn one_name_is_one_store() {
        let plugin = ProxyCache::with_capacity(1 << 20);
        let config = |name| json!({ "strategy": "memory", "memory": { "dictionary_name": name } });
        let all = ["a", "a", "b"].map(|name| plugin.configure(&config(name)).unwrap());
        assert_eq!(plugin.dictionaries.lock().unwrap()["a"].strong_count(), 2);
        assert_eq!(plugin.dictionaries.lock().unwrap().len(), 2);
        drop(all);
        let _again = plugin.configure(&config("c")).unwrap();
        assert_eq!(plugin.dictionaries.lock().unwrap().len(), 1);
    }
}
