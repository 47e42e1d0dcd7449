//! The balancer that an upstream's `algorithm` asks for.

use std::sync::Arc;

use super::{Endpoint, target::Group};
use crate::{
    balance::{
        Balancer, Bound, Crowd, HashRing, Latency, LeastConnections, Maglev, Pick, Place, Random, RoundRobin,
    },
    clock,
    config::Algorithm,
};

/// One of Kong's algorithms over the endpoints of an upstream. An enum, not a box: the usual one is inlined.
pub(super) enum Balancing {
    RoundRobin(RoundRobin),
    Random(Random),
    LeastConnections(LeastConnections<Endpoint>),
    Latency(Latency<Endpoint>),
    HashRing(HashRing, Option<Bound<Endpoint>>),
    Maglev(Maglev, Option<Bound<Endpoint>>),
}

impl Balancing {
    /// That of `group`, over these endpoints in their order.
    pub(super) fn new(
        group: &Group,
        endpoints: &[Arc<Endpoint>],
        weights: &[u16],
        shards: usize,
        crowd: Option<&Crowd>,
    ) -> Self {
        match group.algorithm {
            Algorithm::RoundRobin if group.random => Self::Random(Random::new(weights)),
            Algorithm::RoundRobin => Self::RoundRobin(RoundRobin::new(weights, shards)),
            Algorithm::LeastConnections => {
                Self::LeastConnections(LeastConnections::new(endpoints, weights, shards))
            }
            Algorithm::Latency => Self::Latency(Latency::new(endpoints, weights, shards)),
            Algorithm::ConsistentHashing => {
                let place = |(endpoint, weight): (&Arc<Endpoint>, &u16)| Place {
                    name: point_name(endpoint),
                    weight: *weight,
                };
                let places: Vec<_> = endpoints.iter().zip(weights).map(place).collect();
                let bound = group.hash_bound.zip(crowd);
                let bound = bound.map(|(percent, crowd)| Bound::new(endpoints, weights, percent, crowd));
                if group.maglev {
                    return Self::Maglev(Maglev::new(&places, shards), bound);
                }
                Self::HashRing(HashRing::new(&places, group.targets.len(), group.slots, shards), bound)
            }
        }
    }

    /// The same algorithm, going on from where it is, where only these weights count.
    pub(super) fn with_weights(&self, endpoints: &[Arc<Endpoint>], weights: &[u16]) -> Self {
        match self {
            Self::RoundRobin(balancer) => Self::RoundRobin(balancer.with_weights(weights)),
            Self::Random(_) => Self::Random(Random::new(weights)),
            Self::LeastConnections(balancer) => {
                Self::LeastConnections(balancer.with_weights(endpoints, weights))
            }
            Self::Latency(balancer) => Self::Latency(balancer.with_weights(endpoints, weights)),
            Self::HashRing(balancer, bound) => {
                let bound = bound.as_ref().map(|bound| bound.with_weights(endpoints, weights));
                Self::HashRing(balancer.with_weights(weights), bound)
            }
            Self::Maglev(balancer, bound) => {
                let bound = bound.as_ref().map(|bound| bound.with_weights(endpoints, weights));
                Self::Maglev(balancer.with_weights(weights), bound)
            }
        }
    }

    /// The index of the endpoint to try: of the gateway's parts, this one draws the lots and reads the clock.
    pub(super) fn pick(&self, pick: Pick<'_>) -> Option<usize> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick(&pick),
            Self::Random(balancer) => balancer.pick(&pick.drawing(fastrand::u64(..))),
            Self::LeastConnections(balancer) => balancer.pick(&pick.drawing(fastrand::u64(..))),
            Self::Latency(balancer) => balancer.pick(&pick.drawing(fastrand::u64(..)).at(clock::now())),
            Self::HashRing(balancer, None) => balancer.pick(&pick),
            Self::HashRing(balancer, Some(bound)) => bound.pick(balancer, &pick),
            Self::Maglev(balancer, None) => balancer.pick(&pick),
            Self::Maglev(balancer, Some(bound)) => bound.pick(balancer, &pick),
        }
    }
}

/// What the points of an endpoint are named after, `ip::port` (compat P48); IPv6 in brackets, as Kong keeps it.
fn point_name(endpoint: &Endpoint) -> String {
    let address = endpoint.address();
    match address {
        std::net::SocketAddr::V4(_) => format!("{}::{}", address.ip(), address.port()),
        std::net::SocketAddr::V6(_) => format!("[{}]::{}", address.ip(), address.port()),
    }
}
