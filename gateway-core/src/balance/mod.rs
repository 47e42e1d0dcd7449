//! Which endpoint takes a request: pure, with everything that varies passed in.
//!
//! | algorithm | picks |
//! |---|---|
//! | [`RoundRobin`] | in turn, each as often as its weight says |
//! | [`Random`] | by lot, each as likely as its weight says |
//! | [`LeastConnections`] | of two, the one with fewer requests under way for its weight |
//! | [`Latency`] | of two, the one that answers sooner for its weight |
//! | [`HashRing`] | the same one for the same value, as Kong lays out its ring; within a [`Bound`] where there is one |
//! | [`Maglev`] | the same one for the same value, more evenly |
//!
//! Weights are worked out before, where endpoints differ in rank or in age: [`spill_over`], [`SlowStart`].

mod bound;
mod crowd;
mod hash_ring;
mod latency;
mod least_connections;
mod levels;
mod load;
mod maglev;
mod random;
mod round_robin;
mod slow_start;
mod two_choices;

pub use bound::Bound;
pub use crowd::Crowd;
pub use hash_ring::{HashRing, Place, hash};
pub use latency::Latency;
pub use least_connections::LeastConnections;
pub use levels::{Graded, spill_over};
pub use load::Load;
pub use maglev::Maglev;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use slow_start::SlowStart;

/// Picks one of the endpoints it was built over.
///
/// ```
/// use gateway_core::balance::{Balancer, Pick, RoundRobin};
///
/// let balancer = RoundRobin::new(&[3, 1], 1);
/// let picks: Vec<_> = (0..4).filter_map(|_| balancer.pick(&Pick::any(0))).collect();
/// assert_eq!(picks.iter().filter(|index| **index == 0).count(), 3);
/// ```
pub trait Balancer: Send + Sync + 'static {
    /// The index of the endpoint to try, or none where each is ruled out.
    fn pick(&self, pick: &Pick<'_>) -> Option<usize>;
}

/// What a pick depends on. A balancer looks at what it needs.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Pick<'a> {
    /// The worker that asks.
    pub shard: usize,
    /// Whether an endpoint is ruled out: tried already, unhealthy, ejected. None: no one is.
    pub excluded: Option<&'a dyn Fn(usize) -> bool>,
    /// The [`hash`] of what the request is told apart by, for [`HashRing`].
    pub hash: Option<u32>,
    /// A random number, for those that draw lots.
    pub random: u64,
    /// Milliseconds of a clock that never goes back, for [`Latency`].
    pub now: u64,
}

impl<'a> Pick<'a> {
    /// Any endpoint.
    #[must_use]
    pub const fn any(shard: usize) -> Self {
        Self { shard, excluded: None, hash: None, random: 0, now: 0 }
    }

    /// Any endpoint but those.
    #[must_use]
    pub const fn but(shard: usize, excluded: &'a dyn Fn(usize) -> bool) -> Self {
        Self { excluded: Some(excluded), ..Self::any(shard) }
    }

    /// The same for a request with this hash.
    #[must_use]
    pub const fn hashed(mut self, hash: Option<u32>) -> Self {
        self.hash = hash;
        self
    }

    /// The same with this lot drawn.
    #[must_use]
    pub const fn drawing(mut self, random: u64) -> Self {
        self.random = random;
        self
    }

    /// The same at this moment.
    #[must_use]
    pub const fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    fn excludes(&self, index: usize) -> bool {
        self.excluded.is_some_and(|excluded| excluded(index))
    }
}
