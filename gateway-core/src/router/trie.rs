//! A radix trie over bytes that finds every key that a text starts with.
//!
//! A clone shares every node. A change copies the nodes between the root and its key, and only those that a clone
//! still holds. Nothing here calls itself: keys may nest as deep as they are long.

use std::{mem, sync::Arc};

use memchr::memchr;
use smallvec::SmallVec;

/// Values under byte strings.
#[derive(Clone, Debug)]
pub(super) struct Trie<V>(Option<Arc<Node<V>>>);

/// A label or the first bytes of some children; most fit without an allocation, and so without a cache miss.
type Bytes = SmallVec<[u8; 16]>;

/// Inline up to two, which take no more room than the handle of a list.
type Children<V> = SmallVec<[Arc<Node<V>>; 2]>;

#[derive(Debug)]
struct Node<V> {
    /// What stands between the parent and here; empty at most at the root.
    label: Bytes,
    /// The first byte of each child's label, so that the children are searched at once.
    firsts: Bytes,
    children: Children<V>,
    value: Option<V>,
}

/// The values of the keys that a text starts with; more than these, one inside the other, take an allocation.
type Found<'t, V> = SmallVec<[(&'t V, usize); 16]>;

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
        let end = self.0.len().saturating_sub(at);
        let own = end.checked_sub(label.len()).and_then(|start| self.0.get(start..end));
        own.is_some_and(|own| own.iter().rev().eq(label))
    }
}

impl<V> Trie<V> {
    /// Whether no key is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Shows `visit` the values of all keys that `key` starts with and the lengths of these keys, the longest first.
    /// Not an iterator: it would be larger than all that it walks over, and be moved around.
    pub(super) fn visit<'t>(&'t self, key: impl Key, mut visit: impl FnMut(&'t V, usize)) {
        let (mut found, mut depth, mut next) = (Found::new(), 0, self.0.as_ref());
        while let Some(node) = next
            && key.has(depth, &node.label)
        {
            depth += node.label.len();
            if let Some(value) = &node.value {
                found.push((value, depth));
            }
            next = key.byte(depth).and_then(|byte| node.children.get(node.place(byte)?));
        }
        while let Some((value, length)) = found.pop() {
            visit(value, length);
        }
    }
}

impl<V: Clone> Trie<V> {
    /// Lets `change` set, replace or take away the value under `key`.
    pub(super) fn update(&mut self, key: &[u8], change: impl FnOnce(&mut Option<V>)) {
        let (mut node, mut rest) = (self.0.get_or_insert_with(|| Node::leaf(key)), key);
        loop {
            let own = Arc::make_mut(node);
            own.split(rest);
            rest = rest.get(own.label.len()..).unwrap_or_default();
            let Some(first) = rest.first() else {
                change(&mut own.value);
                if own.value.is_none() {
                    self.prune(key);
                }
                return;
            };
            node = own.child_or_leaf(*first, rest);
        }
    }

    /// Takes off what leads to no value, once that of `key` is gone.
    fn prune(&mut self, key: &[u8]) {
        let Some(kept) = self.last_kept(key) else {
            self.0 = None;
            return;
        };
        let (mut next, mut rest) = (self.0.as_mut(), key);
        while let Some(node) = next.map(Arc::make_mut) {
            rest = rest.get(node.label.len()..).unwrap_or_default();
            let place = rest.first().and_then(|first| node.place(*first));
            if rest.len() == kept {
                return node.shed(place);
            }
            next = place.and_then(|at| node.children.get_mut(at));
        }
    }

    /// What is left of `key` behind the last node on its way that has a value or that other keys need too.
    fn last_kept(&self, key: &[u8]) -> Option<usize> {
        let (mut kept, mut next, mut rest) = (None, self.0.as_ref(), key);
        while let Some(node) = next {
            rest = rest.get(node.label.len()..).unwrap_or_default();
            next = rest.first().and_then(|first| node.children.get(node.place(*first)?));
            if node.value.is_some() || node.children.len() > usize::from(next.is_some()) {
                kept = Some(rest.len());
            }
        }
        kept
    }
}

impl<V> Node<V> {
    /// A call of `memchr` costs more than a look at a few bytes.
    fn place(&self, first: u8) -> Option<usize> {
        match &self.firsts[..] {
            few if few.len() <= 8 => few.iter().position(|byte| *byte == first),
            many => memchr(first, many),
        }
    }

    /// Makes the label end where `key` leaves it.
    fn split(&mut self, key: &[u8]) {
        let common = self.label.iter().zip(key).take_while(|(a, b)| a == b).count();
        let Some(first) = self.label.get(common).copied() else { return };
        let tail = self.label.drain(common..).collect();
        let own = Self { label: mem::take(&mut self.label), ..Self::default() };
        let mut below = mem::replace(self, own);
        below.label = tail;
        self.firsts.push(first);
        self.children.push(Arc::new(below));
    }

    /// The child on the way to `rest`, which begins with `first`; a new one, if there is none.
    fn child_or_leaf(&mut self, first: u8, rest: &[u8]) -> &mut Arc<Self> {
        match self.place(first) {
            // Each first byte has its child.
            Some(at) => &mut self.children[at],
            None => {
                let at = self.children.len();
                self.firsts.push(first);
                self.children.push(Self::leaf(rest));
                &mut self.children[at]
            }
        }
    }

    fn leaf(label: &[u8]) -> Arc<Self> {
        Arc::new(Self { label: label.into(), ..Self::default() })
    }
}

impl<V: Clone> Node<V> {
    /// Drops the child at `place`, and becomes one with the last child where that leaves nothing but a longer way.
    fn shed(&mut self, place: Option<usize>) {
        if let Some(at) = place {
            self.firsts.remove(at);
            self.children.remove(at);
        }
        if self.value.is_none()
            && self.children.len() == 1
            && let Some(mut only) = self.children.pop().map(Arc::unwrap_or_clone)
        {
            self.label.extend_from_slice(&only.label);
            mem::swap(&mut only.label, &mut self.label);
            *self = only;
        }
    }
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self { label: Bytes::new(), firsts: Bytes::new(), children: Children::new(), value: None }
    }
}

impl<V: Clone> Clone for Node<V> {
    fn clone(&self) -> Self {
        Self {
            label: self.label.clone(),
            firsts: self.firsts.clone(),
            children: self.children.clone(),
            value: self.value.clone(),
        }
    }
}

impl<V> Drop for Trie<V> {
    fn drop(&mut self) {
        let mut open: Vec<_> = self.0.take().into_iter().collect();
        while let Some(node) = open.pop() {
            open.extend(Arc::into_inner(node).into_iter().flat_map(|node| node.children));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn trie(keys: &[&str]) -> Trie<String> {
        let mut trie = Trie::default();
        keys.iter().for_each(|key| set(&mut trie, key));
        trie
    }

    fn set(trie: &mut Trie<String>, key: &str) {
        trie.update(key.as_bytes(), |value| *value = Some(key.to_owned()));
    }

    fn found(trie: &Trie<String>, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        trie.visit(Forward(text.as_bytes()), |value, length| {
            assert_eq!(value.len(), length);
            found.push(value.clone());
        });
        found
    }

    /// How many nodes there are.
    fn size<V>(trie: &Trie<V>) -> usize {
        let mut open: Vec<_> = trie.0.iter().collect();
        std::iter::from_fn(|| open.pop().inspect(|node| open.extend(&node.children))).count()
    }

    #[test]
    fn every_prefix_is_found_longest_first() {
        let trie = trie(&["", "/", "/a", "/ab/", "/ac", "/b"]);
        assert_eq!(found(&trie, "/ab/c"), ["/ab/", "/a", "/", ""]);
        assert_eq!(found(&trie, "/a"), ["/a", "/", ""]);
        assert_eq!(found(&trie, "x"), [""]);
        assert!(found(&Trie::default(), "/").is_empty());
    }

    #[test]
    fn keys_may_nest_deep() {
        let deep = || {
            let keys: Vec<String> = (0..2_000).map(|n| "a".repeat(n)).collect();
            let mut trie = trie(&keys.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found(&trie, &"a".repeat(1_500)).len(), 1_501);
            keys.iter().step_by(2).for_each(|key| trie.update(key.as_bytes(), |value| *value = None));
            assert_eq!(found(&trie, &"a".repeat(1_500)).len(), 750);
        };
        std::thread::Builder::new().stack_size(64 << 10).spawn(deep).unwrap().join().unwrap();
    }

    #[test]
    fn a_change_copies_the_way_to_its_key_only() {
        let old = trie(&["/a/b", "/a/c", "/b"]);
        let mut new = old.clone();
        set(&mut new, "/a/d");
        let (old, new) = (old.0.as_ref().unwrap(), new.0.as_ref().unwrap());
        let branch = |node: &Node<String>, byte| Arc::clone(&node.children[node.place(byte).unwrap()]);
        assert!(Arc::ptr_eq(&branch(old, b'b'), &branch(new, b'b')));
        assert!(!Arc::ptr_eq(&branch(old, b'a'), &branch(new, b'a')));
        assert!(Arc::ptr_eq(&branch(&branch(old, b'a'), b'b'), &branch(&branch(new, b'a'), b'b')));
    }

    proptest! {
        #[test]
        fn the_trie_finds_what_a_scan_finds(
            keys in prop::collection::vec(("[ab/]{0,6}", any::<bool>()), 0..60),
            text in "[ab/]{0,9}",
        ) {
            let (mut trie, mut ends, mut left) = (Trie::default(), Trie::default(), BTreeSet::new());
            for (key, stays) in &keys {
                let value = stays.then(|| key.clone());
                trie.update(key.as_bytes(), |own| own.clone_from(&value));
                ends.update(&key.bytes().rev().collect::<Vec<_>>(), |own| *own = value);
                if *stays { left.insert(key.as_str()) } else { left.remove(key.as_str()) };
            }
            let mut expected: Vec<&str> = left.iter().copied().filter(|key| text.starts_with(key)).collect();
            expected.reverse();
            prop_assert_eq!(found(&trie, &text), expected);

            let mut expected: Vec<&str> = left.iter().copied().filter(|key| text.ends_with(key)).collect();
            expected.sort_by_key(|key| std::cmp::Reverse(key.len()));
            let mut found: Vec<&str> = Vec::new();
            ends.visit(Backward(text.as_bytes()), |key, _| found.push(key));
            prop_assert_eq!(found, expected);

            // Keys that come and go leave no more nodes than keys that only came.
            let fresh: Vec<&str> = left.into_iter().collect();
            prop_assert_eq!(size(&trie), size(&self::trie(&fresh)));
        }
    }
}
