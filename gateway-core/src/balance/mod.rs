//! Which endpoint takes a request: pure, with everything that varies passed in.

mod round_robin;

pub use round_robin::RoundRobin;

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

/// What a pick depends on.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Pick<'a> {
    /// The worker that asks.
    pub shard: usize,
    /// Whether an endpoint is ruled out: tried already, unhealthy, ejected.
    pub excluded: &'a dyn Fn(usize) -> bool,
}

impl<'a> Pick<'a> {
    /// Any endpoint.
    #[must_use]
    pub fn any(shard: usize) -> Self {
        Self { shard, excluded: &|_| false }
    }

    /// Any endpoint but those.
    #[must_use]
    pub const fn but(shard: usize, excluded: &'a dyn Fn(usize) -> bool) -> Self {
        Self { shard, excluded }
    }
}
