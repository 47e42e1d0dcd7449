//! Stored answers, within a bound of bytes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use quick_cache::{
    DefaultHashBuilder, Options, OptionsBuilder, Weighter, sync::Cache, sync::DefaultLifecycle,
};

use super::{freshness::Freshness, key::Key};

/// What an entry costs besides its bytes, roughly.
const OVERHEAD: usize = 256;
/// And each of its header fields.
const FIELD: usize = 64;

/// An answer of an upstream.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) stored: Instant,
    pub(super) freshness: Freshness,
    /// From here on it is not there; none: it stays while there is room.
    pub(super) gone: Option<Instant>,
}

#[derive(Clone)]
enum Entry {
    Answer(Arc<Answer>),
    /// The answers stand under keys of their own, by these fields of the request (RFC 9111 4.1).
    Varies(Arc<Varies>),
}

struct Varies {
    names: Box<[HeaderName]>,
    generation: u64,
}

/// A bounded map from keys to answers; those that are asked for least make room.
pub(super) struct Store {
    entries: Cache<Key, Entry, Weight>,
    /// Bytes of answers that are still arriving.
    arriving: AtomicUsize,
    most_arriving: usize,
    largest: usize,
    generations: AtomicU64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Entry> for Weight {
    fn weight(&self, _: &Key, entry: &Entry) -> u64 {
        let bytes = match entry {
            Entry::Answer(answer) => answer.body.len() + fields(&answer.headers),
            Entry::Varies(varies) => varies.names.len() * FIELD,
        };
        (bytes + OVERHEAD) as u64
    }
}

fn fields(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum()
}

impl Store {
    /// A store of about `capacity` bytes. A sixteenth of it is the largest body; answers that are still arriving
    /// have a fourth of it on top.
    pub(super) fn new(capacity: usize) -> Result<Self, String> {
        let entries = Cache::with_options(
            options(capacity)?,
            Weight,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Ok(Self {
            entries,
            arriving: AtomicUsize::new(0),
            most_arriving: capacity / 4,
            largest: capacity / 16,
            generations: AtomicU64::new(0),
        })
    }

    /// Most bytes of a body.
    pub(super) const fn largest(&self) -> usize {
        self.largest
    }

    /// The answer to a request with this key and these fields.
    pub(super) fn get(&self, key: &Key, headers: &HeaderMap, now: Instant) -> Option<Arc<Answer>> {
        let entry = match self.entries.get(key)? {
            Entry::Varies(varies) => {
                self.entries.get(&key.variant(varies.generation, &varies.names, headers))?
            }
            entry => entry,
        };
        match entry {
            Entry::Answer(answer) if answer.gone.is_none_or(|gone| now < gone) => Some(answer),
            _ => None,
        }
    }

    /// Stores the answer to a request with this key and these fields, of which those in `vary` count.
    pub(super) fn put(&self, key: Key, vary: Vec<HeaderName>, headers: &HeaderMap, answer: Answer) {
        let key = if vary.is_empty() { key } else { self.variant(key, vary, headers) };
        self.entries.insert(key, Entry::Answer(Arc::new(answer)));
    }

    /// The key of a variant; variants by other fields are forgotten.
    fn variant(&self, key: Key, vary: Vec<HeaderName>, headers: &HeaderMap) -> Key {
        if let Some(Entry::Varies(varies)) = self.entries.get(&key)
            && *varies.names == *vary
        {
            return key.variant(varies.generation, &vary, headers);
        }
        let generation = self.generations.fetch_add(1, Relaxed);
        let variant = key.variant(generation, &vary, headers);
        self.entries.insert(key, Entry::Varies(Arc::new(Varies { names: vary.into(), generation })));
        variant
    }

    /// Forgets the answers of a key, all variants included.
    pub(super) fn remove(&self, key: &Key) {
        self.entries.remove(key);
    }

    /// Room for `bytes` of an answer that is arriving, if there is any.
    fn arrive(&self, bytes: usize) -> bool {
        let room = |arriving: usize| arriving.checked_add(bytes).filter(|sum| *sum <= self.most_arriving);
        self.arriving.fetch_update(AcqRel, Acquire, room).is_ok()
    }
}

fn options(capacity: usize) -> Result<Options, String> {
    // Few shards: each takes its part of the bytes, and the largest answer must fit into one.
    OptionsBuilder::new()
        .shards(4)
        .estimated_items_capacity(capacity / (16 * 1024))
        .weight_capacity(capacity as u64)
        .build()
        .map_err(|error| error.to_string())
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("answers", &self.entries.len()).finish_non_exhaustive()
    }
}

/// The bytes of a body that is arriving, as long as there is room for them.
pub(super) struct Arriving {
    store: Arc<Store>,
    bytes: Vec<u8>,
    /// What it has room for.
    reserved: usize,
}

impl Arriving {
    pub(super) const fn new(store: Arc<Store>) -> Self {
        Self { store, bytes: Vec::new(), reserved: 0 }
    }

    /// Adds what has come; whether there was room.
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        if self.bytes.len() + data.len() > self.store.largest() || !self.store.arrive(data.len()) {
            return false;
        }
        self.reserved += data.len();
        self.bytes.extend_from_slice(data);
        true
    }

    /// All that has come.
    pub(super) fn finish(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.bytes).into_boxed_slice())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.store.arriving.fetch_sub(self.reserved, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

    use super::{super::key::Varying, Answer, Arriving, Freshness, Key, Store};
    use crate::{Body, ConnectInfo, plugin::Exchange};

    fn key(path: &str) -> Key {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        Varying::default().key(&Method::GET, &request, &exchange)
    }

    fn answer(body: impl Into<Bytes>, gone: Option<Instant>) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
            stored: Instant::now(),
            freshness: Freshness::fixed(60),
            gone,
        }
    }

    fn accept(value: &'static str) -> HeaderMap {
        [(HeaderName::from_static("accept"), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn an_answer_is_there_until_its_end() {
        let (store, now) = (Store::new(1 << 20).unwrap(), Instant::now());
        let end = now + Duration::from_secs(60);
        store.put(key("/a"), vec![], &HeaderMap::new(), answer("x", Some(end)));
        assert_eq!(store.get(&key("/a"), &HeaderMap::new(), now).unwrap().body, "x");
        assert!(store.get(&key("/b"), &HeaderMap::new(), now).is_none());
        assert!(store.get(&key("/a"), &HeaderMap::new(), end).is_none());
        store.remove(&key("/a"));
        assert!(store.get(&key("/a"), &HeaderMap::new(), now).is_none());
    }

    #[test]
    fn variants_are_told_apart_and_forgotten_together() {
        let (store, now) = (Store::new(1 << 20).unwrap(), Instant::now());
        let vary = || vec![HeaderName::from_static("accept")];
        for value in ["a", "b"] {
            store.put(key("/"), vary(), &accept(value), answer(value, None));
        }
        let body = |value| store.get(&key("/"), &accept(value), now).map(|answer| answer.body.clone());
        assert_eq!((body("a"), body("b"), body("c")), (Some("a".into()), Some("b".into()), None));
        store.remove(&key("/"));
        store.put(key("/"), vary(), &accept("a"), answer("new", None));
        assert_eq!((body("a"), body("b")), (Some("new".into()), None), "an old variant does not come back");
    }

    #[test]
    fn what_is_stored_stays_within_the_bound() {
        let capacity = 1 << 20;
        let store = Store::new(capacity).unwrap();
        for number in 0..2000 {
            store.put(key(&format!("/{number}")), vec![], &HeaderMap::new(), answer(vec![0; 4096], None));
            assert!(store.entries.weight() <= capacity as u64);
        }
        assert!(store.entries.len() > 100, "{}", store.entries.len());
        store.put(key("/large"), vec![], &HeaderMap::new(), answer(vec![0; store.largest()], None));
        assert!(store.get(&key("/large"), &HeaderMap::new(), Instant::now()).is_some());
    }

    #[test]
    fn bodies_that_arrive_share_a_bound_and_give_their_room_back() {
        let store = Arc::new(Store::new(1 << 20).unwrap());
        let (largest, most) = (1 << 16, 1 << 18);
        assert!(!Arriving::new(Arc::clone(&store)).add(&vec![0; largest + 1]));
        let fill = || {
            let mut arriving = Arriving::new(Arc::clone(&store));
            arriving.add(&vec![0; largest]).then_some(arriving)
        };
        let all: Vec<_> = std::iter::from_fn(fill).collect();
        assert_eq!(all.len(), most / largest);
        drop(all);
        assert!(fill().is_some());
    }
}
