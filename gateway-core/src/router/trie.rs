//! A radix trie over bytes that finds every key that a text starts with.

use memchr::memchr;

/// Values under byte strings, in a few flat tables: a walk touches one node per branching of the keys.
#[derive(Debug)]
pub(super) struct Trie<V> {
    nodes: Vec<Node>,
    /// The first byte of each node's label, so that the children of a node are searched at once.
    firsts: Vec<u8>,
    labels: Vec<u8>,
    values: Vec<Value<V>>,
}

#[derive(Debug)]
struct Node {
    /// Where the label starts and ends in `labels`.
    label: (u32, u32),
    /// Where the children start and end in `nodes`.
    children: (u32, u32),
    value: Option<u32>,
}

#[derive(Debug)]
struct Value<V> {
    value: V,
    /// The length of its key.
    length: usize,
    /// The value of the longest other key that its own starts with.
    up: Option<u32>,
}

/// A text that is looked up.
pub(super) trait Key: Copy {
    /// The byte at this distance from where reading starts.
    fn byte(&self, at: usize) -> Option<u8>;
    /// Whether `label` stands there.
    fn has(&self, at: usize, label: &[u8]) -> bool;
}

/// Bytes read from the first to the last.
#[derive(Clone, Copy)]
pub(super) struct Forward<'a>(pub(super) &'a [u8]);

impl Key for Forward<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn has(&self, at: usize, label: &[u8]) -> bool {
        self.0.get(at..).is_some_and(|rest| rest.starts_with(label))
    }
}

/// Bytes read from the last to the first: a suffix becomes a prefix without a copy.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a>(pub(super) &'a [u8]);

impl Key for Backward<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(self.0.len().checked_sub(at + 1)?).copied()
    }

    fn has(&self, at: usize, label: &[u8]) -> bool {
        label.iter().zip(at..).all(|(byte, at)| self.byte(at) == Some(*byte))
    }
}

impl<V> Trie<V> {
    /// A trie of these values. Of equal keys one stays.
    pub(super) fn new(mut entries: Vec<(Vec<u8>, V)>) -> Self {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        let (keys, values): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let linked = keys.iter().zip(parents(&keys)).zip(values);
        let values = linked.map(|((key, up), value)| Value { value, length: key.len(), up }).collect();
        let mut trie = Self { nodes: Vec::new(), firsts: Vec::new(), labels: Vec::new(), values };
        trie.grow(&keys);
        trie
    }

    /// Lays out the nodes level by level, so that the children of one stand together. A list of groups and no
    /// recursion: keys may nest as deep as they are long.
    fn grow(&mut self, keys: &[Vec<u8>]) {
        let mut groups = vec![Group { keys, at: 0, depth: 0 }];
        while let Some(Group { keys, at, depth }) = groups.get(self.nodes.len()).copied() {
            let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return };
            // Sorted keys share what the first and the last of them share.
            let common = first.iter().zip(last).skip(depth).take_while(|(a, b)| a == b).count();
            let end = depth + common;
            let own = usize::from(first.len() == end);
            let children = groups.len();
            let mut next = at + own;
            for keys in keys.get(own..).unwrap_or_default().chunk_by(|a, b| a.get(end) == b.get(end)) {
                groups.push(Group { keys, at: next, depth: end });
                next += keys.len();
            }
            let label = self.labels.len();
            self.labels.extend(first.get(depth..end).unwrap_or_default());
            self.firsts.push(first.get(depth).copied().unwrap_or_default());
            self.nodes.push(Node {
                label: range(label, self.labels.len()),
                children: range(children, groups.len()),
                value: (own == 1).then_some(at as u32),
            });
        }
    }

    /// The values of all keys that `key` starts with and the lengths of these keys, the longest first.
    pub(super) fn prefixes_of(&self, key: impl Key) -> impl Iterator<Item = (&V, usize)> {
        let value = |at: u32| self.values.get(at as usize);
        std::iter::successors(self.deepest(&key).and_then(value), move |below| below.up.and_then(value))
            .map(|found| (&found.value, found.length))
    }

    /// Hands every value the one of the next shorter key, shorter keys first.
    pub(super) fn inherit(&mut self, mut give: impl FnMut(&V, &mut V)) {
        for at in 0..self.values.len() {
            let (above, own) = self.values.split_at_mut(at);
            let Some(own) = own.first_mut() else { return };
            if let Some(up) = own.up.and_then(|up| above.get(up as usize)) {
                give(&up.value, &mut own.value);
            }
        }
    }

    fn deepest(&self, key: &impl Key) -> Option<u32> {
        let mut node = self.nodes.first()?;
        let (mut depth, mut found) = (0, None);
        loop {
            let label = slice(&self.labels, node.label)?;
            if !key.has(depth, label) {
                return found;
            }
            depth += label.len();
            found = node.value.or(found);
            let Some(next) = key.byte(depth).and_then(|byte| self.child(node, byte)) else { return found };
            node = next;
        }
    }

    fn child(&self, node: &Node, byte: u8) -> Option<&Node> {
        let at = memchr(byte, slice(&self.firsts, node.children)?)?;
        self.nodes.get(node.children.0 as usize + at)
    }
}

/// Keys in order that share their first `depth` bytes and the one after; `at` is the place of the first.
#[derive(Clone, Copy)]
struct Group<'k> {
    keys: &'k [Vec<u8>],
    at: usize,
    depth: usize,
}

/// For each of the sorted keys, the longest other one that it starts with.
fn parents(keys: &[Vec<u8>]) -> Vec<Option<u32>> {
    let mut open: Vec<(usize, &[u8])> = Vec::new();
    let parent = |(at, key): (usize, &'_ Vec<u8>)| {
        while open.pop_if(|(_, above)| !key.starts_with(above)).is_some() {}
        let up = open.last().map(|(at, _)| *at as u32);
        open.push((at, keys.get(at).map_or(&[], Vec::as_slice)));
        up
    };
    keys.iter().enumerate().map(parent).collect()
}

/// Four bytes are enough: a configuration has less than 4 GiB of paths.
fn range(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

fn slice(bytes: &[u8], (start, end): (u32, u32)) -> Option<&[u8]> {
    bytes.get(start as usize..end as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trie(keys: &[&str]) -> Trie<String> {
        Trie::new(keys.iter().map(|key| (key.as_bytes().to_vec(), (*key).to_owned())).collect())
    }

    fn found(trie: &Trie<String>, text: &str) -> Vec<String> {
        let lengths_fit = |(value, length): (&String, usize)| {
            assert_eq!(value.len(), length);
            value.clone()
        };
        trie.prefixes_of(Forward(text.as_bytes())).map(lengths_fit).collect()
    }

    #[test]
    fn every_prefix_is_found_longest_first() {
        let trie = trie(&["", "/", "/a", "/ab/", "/ac", "/b"]);
        assert_eq!(found(&trie, "/ab/c"), ["/ab/", "/a", "/", ""]);
        assert_eq!(found(&trie, "/a"), ["/a", "/", ""]);
        assert_eq!(found(&trie, "x"), [""]);
        assert!(found(&Trie::new(Vec::new()), "/").is_empty());
    }

    #[test]
    fn keys_may_nest_deep() {
        let keys: Vec<String> = (0..2_000).map(|n| "a".repeat(n)).collect();
        let trie = trie(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found(&trie, &"a".repeat(1_500)).len(), 1_501);
    }

    #[test]
    fn a_value_inherits_along_its_prefixes() {
        let keys = ["", "a", "ab", "b"];
        let mut trie = Trie::new(keys.iter().map(|key| (key.as_bytes().to_vec(), 1)).collect());
        trie.inherit(|up, own| *own += up);
        let sums: Vec<i32> = trie.prefixes_of(Forward(b"abc")).map(|(sum, _)| *sum).collect();
        assert_eq!(sums, [3, 2, 1]);
    }

    proptest! {
        #[test]
        fn the_trie_finds_what_a_scan_finds(keys in prop::collection::btree_set("[ab/]{0,6}", 0..40), text in "[ab/]{0,9}") {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut expected: Vec<&str> = keys.iter().copied().filter(|key| text.starts_with(key)).collect();
            expected.reverse();
            prop_assert_eq!(found(&trie(&keys), &text), expected);

            let ends = Trie::new(keys.iter().map(|key| (key.bytes().rev().collect(), *key)).collect());
            let mut expected: Vec<&str> = keys.iter().copied().filter(|key| text.ends_with(key)).collect();
            expected.sort_by_key(|key| std::cmp::Reverse(key.len()));
            let found: Vec<&str> = ends.prefixes_of(Backward(text.as_bytes())).map(|(key, _)| *key).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
