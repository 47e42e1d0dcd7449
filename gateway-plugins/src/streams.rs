//! The requests of an instance, by their contexts.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::stream::Stream;

/// A map from contexts to requests. The one that came last lies beside the map: most guests have seen all of a request
/// before the next one comes, and then no map is looked into.
#[derive(Default)]
pub(crate) struct Streams {
    last: Option<(u32, Stream)>,
    others: HashMap<u32, Stream, RandomState>,
}

impl Streams {
    pub(crate) fn get(&self, id: u32) -> Option<&Stream> {
        match &self.last {
            Some((last, stream)) if *last == id => Some(stream),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id),
        }
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        match &mut self.last {
            Some((last, stream)) if *last == id => Some(stream),
            _ if self.others.is_empty() => None,
            _ => self.others.get_mut(&id),
        }
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.get(id).is_some()
    }

    /// Adds a request under a context that none has.
    pub(crate) fn add(&mut self, id: u32, stream: Stream) {
        if let Some((id, stream)) = self.last.replace((id, stream)) {
            self.others.insert(id, stream);
        }
    }

    pub(crate) fn remove(&mut self, id: u32) {
        match &self.last {
            Some((last, _)) if *last == id => self.last = None,
            _ => drop(self.others.remove(&id)),
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Stream) -> bool) {
        self.last.take_if(|(_, stream)| !keep(stream));
        self.others.retain(|_, stream| keep(stream));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.last.iter().map(|(_, stream)| stream).chain(self.others.values())
    }

    pub(crate) fn len(&self) -> usize {
        self.others.len() + usize::from(self.last.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Stream, Streams};

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..3_u8, 0..6_u32), 0..60)) {
            let (mut streams, mut model) = (Streams::default(), BTreeMap::new());
            for (root, (step, id)) in steps.into_iter().enumerate() {
                let root = u32::try_from(root).unwrap();
                match step {
                    0 if !model.contains_key(&id) => {
                        streams.add(id, Stream::new(root, None));
                        model.insert(id, root);
                    }
                    1 => {
                        streams.retain(|stream| stream.root % 6 != id);
                        model.retain(|_, root| *root % 6 != id);
                    }
                    _ => {
                        streams.remove(id);
                        model.remove(&id);
                    }
                }
                for id in 0..6 {
                    prop_assert_eq!(streams.get(id).map(|stream| stream.root), model.get(&id).copied());
                    prop_assert_eq!(streams.get_mut(id).is_some(), streams.contains(id));
                }
                let mut roots: Vec<_> = streams.iter().map(|stream| stream.root).collect();
                roots.sort_unstable();
                let mut expected: Vec<_> = model.values().copied().collect();
                expected.sort_unstable();
                prop_assert_eq!(roots, expected);
                prop_assert_eq!(streams.len(), model.len());
            }
        }
    }
}
