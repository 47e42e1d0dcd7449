//! Signs: what a request must show to be taken by a rule, so that a look-up finds the few rules that it may take.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use http::{HeaderName, Method};

use super::{guard::Guard, predicate::Predicates};

/// Four bytes in a row, somewhere in the decoded path.
pub(super) type Text = [u8; 4];

/// What stands for a value: its hash. Two values with one hash cost a look, no more, as rules are checked in full.
pub(super) type Mark = u64;

/// Of each list a request that the rule takes shows at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signs {
    Texts(Vec<Text>),
    /// The marks of values of one header.
    Header(HeaderName, Vec<Mark>),
    /// The marks of methods.
    Methods(Vec<Mark>),
}

/// So many places of a needed text are looked at, from its end: beginnings are more alike.
const PLACES: usize = 16;

impl Signs {
    /// All lists of signs of a rule; each of them alone is necessary. The sharper ones stand first.
    pub(super) fn of(guard: &Guard) -> Vec<Self> {
        let header = |(name, values): (&HeaderName, Vec<&str>)| {
            let marks = values.iter().map(|value| header_mark(name, value.as_bytes()));
            Self::Header(name.clone(), once(marks))
        };
        let headers = guard.predicates().into_iter().flat_map(Predicates::exact_headers).map(header);
        let methods = guard.predicates().map(Predicates::methods).filter(|methods| !methods.is_empty());
        let methods = methods.map(|methods| Self::Methods(once(methods.iter().map(method_mark))));
        texts(guard).chain(headers).chain(methods).collect()
    }
}

/// The texts at each distance from the end of what the expressions need, where all need something.
fn texts(guard: &Guard) -> impl Iterator<Item = Signs> {
    let patterns = guard.tail.patterns();
    let is_known = patterns.iter().all(|pattern| !pattern.needed.is_empty());
    let needed = patterns.iter().filter(|_| is_known).flat_map(|pattern| &pattern.needed);
    let needed: Vec<&[u8]> = needed.map(Vec::as_slice).collect();
    let shortest = needed.iter().map(|text| text.len()).min().unwrap_or(0);
    let places = (shortest + 1).saturating_sub(size_of::<Text>()).min(PLACES);
    (0..places).map(move |back| Signs::Texts(once(needed.iter().filter_map(|text| text_before(text, back)))))
}

/// Each sign once.
fn once<T: Ord>(signs: impl Iterator<Item = T>) -> Vec<T> {
    let mut signs: Vec<T> = signs.collect();
    signs.sort_unstable();
    signs.dedup();
    signs
}

/// The text that ends this many bytes before the end.
fn text_before(text: &[u8], back: usize) -> Option<Text> {
    text.get(..text.len().checked_sub(back)?)?.last_chunk().copied()
}

/// The mark of a method.
pub(super) fn method_mark(method: &Method) -> Mark {
    FixedState::default().hash_one(method.as_str())
}

/// The mark of a header's value, without regard to ASCII case. What stands behind the first bytes does not count, so
/// that long values cost no more.
pub(super) fn header_mark(name: &HeaderName, value: &[u8]) -> Mark {
    let mut start = [0; 64];
    for (lower, byte) in start.iter_mut().zip(value) {
        *lower = byte.to_ascii_lowercase();
    }
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(name.as_str().as_bytes());
    hasher.write(start.get(..value.len()).unwrap_or(&start));
    hasher.write_usize(value.len());
    hasher.finish()
}
