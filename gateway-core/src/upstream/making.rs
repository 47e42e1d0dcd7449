//! Making the set of endpoints that requests are balanced over.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, PoisonError},
};

use super::{
    Endpoint, Upstream,
    balancing::Balancing,
    dns::{Resolution, Resolved},
    hosts::Hosts,
    set::Set,
    sticky::Sessions,
    target::{Group, Member},
    vital::Vital,
};
use crate::{balance::Load, clock, config::Algorithm, error::Reason};

impl Upstream {
    /// The set that `names` yield; endpoints of `known` are kept.
    pub(super) fn build(&self, names: HashMap<Arc<str>, Resolved>, known: Option<&Set>) -> Set {
        let known: HashMap<_, _> = known
            .into_iter()
            .flat_map(|set| &set.endpoints)
            .map(|endpoint| ((Arc::clone(endpoint.name()), endpoint.address()), endpoint))
            .collect();
        let mut addresses: Vec<_> = self.addresses(&names).collect();
        if self.group.algorithm == Algorithm::ConsistentHashing {
            // Who comes first gets a disputed point of the ring: by name, port and address (compat P48).
            addresses.sort_by_cached_key(|(member, address, _)| {
                (Arc::clone(&member.host), member.port, address.to_string())
            });
        }
        // Where all are new, nobody is a newcomer.
        let begun = if known.is_empty() { 0 } else { clock::now() };
        let newcomer = || Arc::new(Vital::since(begun));
        let endpoint = |member: &Member, address: SocketAddr| {
            let hosts = self.group.hosts(member, address.port(), srv_name(member, address, &names));
            let kept = known.get(&(Arc::clone(&member.host), address));
            match kept {
                Some(kept) if *kept.hosts() == hosts && self.counts(kept) => Arc::clone(kept),
                _ => {
                    let vital = kept.map_or_else(newcomer, |kept| Arc::clone(kept.vital()));
                    let name = Arc::clone(&member.host);
                    let load = self.crowd.as_ref().map(Load::in_crowd).unwrap_or_default();
                    Arc::new(Endpoint::new(address, name, hosts, self.shards, self.limits, (load, vital)))
                }
            }
        };
        let all: Vec<Placed<'_>> = addresses
            .into_iter()
            .map(|(member, address, weight)| (member, endpoint(member, address), weight))
            .collect();
        let part = |name: &Arc<str>| {
            let inside = all.iter().filter(|(member, ..)| member.is_in(Some(name)));
            (Arc::clone(name), self.laid_out(&self.group.subset(name), inside.cloned().collect()))
        };
        let subsets = self.group.subsets().into_iter().map(part).collect();
        let whole = self.laid_out(&self.group, all);
        Set { subsets, names, ..whole }
    }

    /// The set of these members, which are those of `group`.
    fn laid_out(&self, group: &Group, placed: Vec<Placed<'_>>) -> Set {
        let levels = if group.is_graded() {
            placed.iter().map(|(member, ..)| group.level(member)).collect()
        } else {
            Box::default()
        };
        let (endpoints, weights): (Vec<_>, Vec<_>) =
            placed.into_iter().map(|(_, endpoint, weight)| (endpoint, weight)).unzip();
        Set {
            empty: emptiness(group, &weights),
            balancing: Balancing::new(group, &endpoints, &weights, self.shards, self.crowd.as_ref()),
            sessions: group.sticky().map_or_else(Sessions::default, |_| Sessions::of(&endpoints)),
            endpoints: endpoints.into(),
            shares: weights.as_slice().into(),
            weights: weights.into(),
            levels,
            ..Set::empty(group)
        }
    }

    /// Whether the requests of an endpoint are counted as this upstream counts them.
    fn counts(&self, endpoint: &Endpoint) -> bool {
        match (&self.crowd, endpoint.load().crowd()) {
            (None, None) => true,
            (Some(own), Some(its)) => own.is(its),
            _ => false,
        }
    }

    /// The endpoints of the target `host:port` with their weights, as its name resolves now.
    #[must_use]
    pub fn endpoints_of(&self, host: &str, port: u16) -> Vec<(Arc<Endpoint>, u16)> {
        let set = self.set.load();
        let find = |member: &Member, address: SocketAddr| {
            let is_it = |it: &&Arc<Endpoint>| it.address() == address && *it.name() == member.host;
            set.endpoints.iter().find(is_it).cloned()
        };
        self.addresses(&set.names)
            .filter(|(member, ..)| &*member.host == host && member.port == port)
            .filter_map(|(member, address, weight)| Some((find(member, address)?, weight)))
            .collect()
    }

    /// Each target of a subset, or of all, with what is known of its addresses at this moment. Nothing is looked up for
    /// it.
    pub(crate) fn known(&self, subset: Option<&str>) -> Vec<(&Member, Vec<Known>)> {
        let whole = self.set.load();
        let Some(set) = whole.within(subset) else { return Vec::new() };
        let known = |(member, address, weight): (&Member, SocketAddr, u16)| {
            let is_it = |it: &&Arc<Endpoint>| it.address() == address && *it.name() == member.host;
            let endpoint = set.endpoints.iter().find(is_it);
            let well = endpoint.is_none_or(|endpoint| set.is_well(endpoint));
            let is_spare = well && weight > 0 && endpoint.is_some_and(|endpoint| set.is_spare(endpoint));
            Known { address, weight, well, is_spare }
        };
        let of = |member| (member, addresses_of(member, &whole.names).map(known).collect());
        self.group.targets.iter().filter(|member| member.is_in(subset)).map(of).collect()
    }

    /// What a target is called in `Host` at one of its addresses, as its name resolves now.
    pub(crate) fn hosts(&self, member: &Member, address: Option<SocketAddr>) -> Hosts {
        let set = self.set.load();
        let port = address.map_or(member.port, |address| address.port());
        let srv = address.and_then(|address| srv_name(member, address, &set.names));
        self.group.hosts(member, port, srv)
    }

    /// Every address of every target with its weight. Those of weight 0 drain: they are there, and not picked.
    fn addresses<'a>(
        &'a self,
        names: &'a HashMap<Arc<str>, Resolved>,
    ) -> impl Iterator<Item = (&'a Member, SocketAddr, u16)> {
        self.group.targets.iter().flat_map(|member| addresses_of(member, names))
    }

    /// Lays the balancer out anew for those that are well now.
    pub(super) fn judge_again(&self) {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(watch), set) = (&self.watch, self.set.load()) else { return };
        // Another worker may have seen the same change.
        if set.generation != watch.generation() {
            self.set.store(Arc::new(set.judged(watch)));
            self.turned.notify_one();
        }
    }

    /// A new set, with those that are unwell left out.
    pub(super) fn judged(&self, set: Set) -> Set {
        match &self.watch {
            Some(watch) => set.judged(watch),
            None => set,
        }
    }
}

/// A member, an endpoint of it and its weight.
type Placed<'a> = (&'a Member, Arc<Endpoint>, u16);

/// Why a group has no endpoints, where no look-up can change that.
fn emptiness(group: &Group, weights: &[u16]) -> Option<Reason> {
    if weights.iter().any(|weight| *weight > 0) {
        None
    } else if group.targets.is_empty() {
        Some(Reason::NoTargets)
    } else if group.targets.iter().all(|member| member.weight == 0) {
        Some(Reason::WeightZero)
    } else {
        None
    }
}

/// An address of a target, as it is known.
pub(crate) struct Known {
    pub(crate) address: SocketAddr,
    pub(crate) weight: u16,
    /// Whether its health lets it take requests.
    pub(crate) well: bool,
    /// Whether others come first, and take all of them.
    pub(crate) is_spare: bool,
}

/// Every address of one target with its weight.
fn addresses_of<'a>(
    member: &'a Member,
    names: &'a HashMap<Arc<str>, Resolved>,
) -> impl Iterator<Item = (&'a Member, SocketAddr, u16)> {
    let fixed = member.ip().map(|ip| (SocketAddr::new(ip, member.port), None));
    let looked_up = looked_up(member, names).iter().map(|found| (found.address(member.port), found.weight));
    fixed.into_iter().chain(looked_up).map(move |(address, weight)| {
        let weight = if member.weight == 0 { 0 } else { weight.unwrap_or(member.weight) };
        (member, address, weight)
    })
}

fn looked_up<'a>(member: &Member, names: &'a HashMap<Arc<str>, Resolved>) -> &'a [Resolution] {
    names.get(&member.host).map(|found| found.addresses.as_slice()).unwrap_or_default()
}

/// The name by which an SRV record leads to an address of `member`.
fn srv_name<'a>(
    member: &Member,
    address: SocketAddr,
    names: &'a HashMap<Arc<str>, Resolved>,
) -> Option<&'a str> {
    looked_up(member, names).iter().find(|found| found.address(member.port) == address)?.name.as_deref()
}
