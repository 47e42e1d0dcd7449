//! Where rules stand while they are compared: under a host, and there under the start of a path.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::{
    super::host::{Host, Name},
    wants::{Want, Wants},
};

/// A rule by one of its hosts and one of its paths: the places of all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) rule: usize,
    pub(super) host: usize,
    pub(super) path: usize,
}

/// All spots of all rules.
#[derive(Default)]
pub(super) struct Shelves<'s> {
    hosts: HashMap<Key<'s>, Shelf<'s>, RandomState>,
    /// How long the texts of wildcards are.
    ends: BTreeSet<usize>,
    starts: BTreeSet<usize>,
}

/// A host without its port, or any host.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'s> {
    Any,
    Exact(&'s str),
    EndsWith(&'s str),
    StartsWith(&'s str),
}

#[derive(Default)]
struct Shelf<'s> {
    /// Those with this start of a path: what asks for little else first, then in their order.
    starts: HashMap<&'s str, Vec<Spot>, RandomState>,
    /// How long these starts are.
    lengths: BTreeSet<usize>,
    /// Some hosts that this one takes too.
    below: Vec<Key<'s>>,
}

/// The most hosts below a wildcard that are looked at.
const MOST_HOSTS: usize = 32;

impl<'s> Shelves<'s> {
    /// Shelves with these rules, the best first.
    pub(super) fn of(rules: &'s [&'s Wants]) -> Self {
        let (mut shelves, mut order) = (Self::default(), Vec::new());
        for (rule, wants) in rules.iter().enumerate() {
            for host in 0..wants.hosts.len().max(1) {
                let key = Key::from(wants.hosts.get(host));
                let shelf = shelves.hosts.entry(key).or_insert_with(|| {
                    order.push(key);
                    Shelf::default()
                });
                for (path, want) in wants.paths.iter().enumerate() {
                    shelf.lengths.insert(want.start().len());
                    shelf.starts.entry(want.start()).or_default().push(Spot { rule, host, path });
                }
            }
        }
        // What asks for little else covers most, and is looked at first.
        let weight = |spot: &Spot| (rules.get(spot.rule).map_or(0, |wants| wants.weight()), spot.rule);
        for list in shelves.hosts.values_mut().flat_map(|shelf| shelf.starts.values_mut()) {
            list.sort_by_key(weight);
        }
        shelves.link(&order);
        shelves
    }

    /// Lets each host know some of those below it.
    fn link(&mut self, order: &[Key<'s>]) {
        for key in order {
            match key {
                Key::EndsWith(end) => drop(self.ends.insert(end.len())),
                Key::StartsWith(start) => drop(self.starts.insert(start.len())),
                Key::Any | Key::Exact(_) => {}
            }
        }
        for key in order.iter().filter(|key| **key != Key::Any) {
            for wider in self.wider_keys(*key).into_iter().filter(|wider| wider != key) {
                if let Some(shelf) = self.hosts.get_mut(&wider)
                    && shelf.below.len() < MOST_HOSTS
                {
                    shelf.below.push(*key);
                }
            }
        }
    }

    /// What stands under this host or a wider one, and under this start or a shorter one.
    pub(super) fn wider<'a>(
        &'a self,
        host: Option<&'a Host>,
        path: &'a Want,
    ) -> impl Iterator<Item = Spot> + 'a {
        let shelves = self.wider_keys(host.into()).into_iter().filter_map(|key| self.hosts.get(&key));
        shelves.flat_map(|shelf| shelf.under(path.start()))
    }

    /// What stands under some narrower hosts, and under this start or a shorter one.
    pub(super) fn narrower<'a>(
        &'a self,
        host: Option<&'a Host>,
        path: &'a Want,
    ) -> impl Iterator<Item = Spot> + 'a {
        let shelf = self.hosts.get(&host.into());
        let below = shelf.into_iter().flat_map(|shelf| &shelf.below);
        below.filter_map(|key| self.hosts.get(key)).flat_map(|shelf| shelf.under(path.start()))
    }

    /// All hosts that take all that `key` takes, itself among them, as far as there are any.
    fn wider_keys<'a>(&self, key: Key<'a>) -> Vec<Key<'a>> {
        let ends = |text: &'a str| {
            let starts = self.ends.range(..=text.len()).filter_map(|length| text.len().checked_sub(*length));
            starts.filter_map(|start| text.get(start..)).map(Key::EndsWith).collect::<Vec<_>>()
        };
        let starts = |text: &'a str| {
            let ends = self.starts.range(..=text.len());
            ends.filter_map(|end| text.get(..*end)).map(Key::StartsWith).collect::<Vec<_>>()
        };
        let (own, ends, starts) = match key {
            Key::Any => (None, ends(""), starts("")),
            Key::Exact(name) => (Some(key), ends(name), starts(name)),
            Key::EndsWith(end) => (None, ends(end), Vec::new()),
            Key::StartsWith(start) => (None, Vec::new(), starts(start)),
        };
        [Key::Any].into_iter().chain(own).chain(ends).chain(starts).collect()
    }
}

impl<'s> From<Option<&'s Host>> for Key<'s> {
    fn from(host: Option<&'s Host>) -> Self {
        match host.map(|host| &host.name) {
            None => Self::Any,
            Some(Name::Exact(name)) => Self::Exact(name),
            Some(Name::EndsWith(end)) => Self::EndsWith(end),
            Some(Name::StartsWith(start)) => Self::StartsWith(start),
        }
    }
}

impl Shelf<'_> {
    fn under<'a>(&'a self, start: &'a str) -> impl Iterator<Item = Spot> + 'a {
        let shorter = self.lengths.range(..=start.len()).filter_map(|end| start.get(..*end));
        shorter.filter_map(|shorter| self.starts.get(shorter)).flatten().copied()
    }
}
