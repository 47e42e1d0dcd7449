//! An upstream at run time: its endpoints as they are now, and the task that keeps them so.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Endpoint, Resolve,
    dns::{Resolution, Resolved},
    pool::PoolLimits,
    target::{Group, Member},
};
use crate::{
    balance::{Balancer, Pick, RoundRobin},
    error::{Error, Reason},
};

/// A group of endpoints behind one name.
///
/// What its names resolve to is looked up by a task of its own, from the first request on and
/// again as each answer runs out; a failed look-up keeps the last good answer. The task ends
/// with the upstream.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::upstream::{Dns, Group, Member, PoolLimits, Upstream};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let members = [Member::new("127.0.0.1", 8001), Member::new("127.0.0.1", 8002)];
/// let upstream =
///     Upstream::new(Group::new("users", members), None, Arc::new(Dns::system()), 1, PoolLimits::default());
///
/// let first = upstream.pick(0, &[]).await.unwrap();
/// // Say it failed: the next try goes to another one.
/// let second = upstream.pick(0, &[Arc::clone(&first)]).await.unwrap();
/// assert_ne!(first.address(), second.address());
/// # });
/// ```
pub struct Upstream {
    group: Group,
    /// Whether any target is a name; asked on every request, so not worked out there.
    named: bool,
    set: ArcSwap<Set>,
    resolver: Arc<dyn Resolve>,
    task: OnceLock<Task>,
    resolved: Notify,
    shards: usize,
    limits: PoolLimits,
}

/// The endpoints of one moment; immutable.
struct Set {
    endpoints: Box<[Arc<Endpoint>]>,
    balancer: Box<dyn Balancer>,
    /// The last good answer for each target that is a name.
    names: HashMap<Arc<str>, Resolved>,
    /// Why there are no endpoints, once that is known.
    empty: Option<Reason>,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long a request waits for the first look-up.
const FIRST_LOOKUP: Duration = Duration::from_secs(5);
/// An answer is kept at least so long, whatever its TTL says.
const SHORTEST_TTL: Duration = Duration::from_secs(1);
/// And at most so long, so that a move is noticed.
const LONGEST_TTL: Duration = Duration::from_secs(600);
/// Look-ups of one upstream at a time.
const PARALLEL_LOOKUPS: usize = 16;

impl Upstream {
    /// The upstream of `group`. Endpoints that `previous` has already, live state and open connections
    /// included, are taken over.
    #[must_use]
    pub fn new(
        group: Group,
        previous: Option<&Self>,
        resolver: Arc<dyn Resolve>,
        shards: usize,
        limits: PoolLimits,
    ) -> Arc<Self> {
        let names = previous.map(|previous| previous.set.load().names.clone()).unwrap_or_default();
        let upstream = Self {
            set: ArcSwap::from_pointee(Set::empty()),
            task: OnceLock::new(),
            resolved: Notify::new(),
            named: group.targets.iter().any(|member| member.ip().is_none()),
            group,
            resolver,
            shards,
            limits,
        };
        let known = previous.map(|previous| previous.set.load_full());
        upstream.set.store(Arc::new(upstream.build(names, known.as_deref())));
        Arc::new(upstream)
    }

    /// What it was made of.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Each target with the addresses it has at this moment and their weights. Nothing is looked up for it.
    pub(crate) fn known(&self) -> Vec<(&Member, Vec<(SocketAddr, u16)>)> {
        let set = self.set.load();
        let known = |member| (member, addresses_of(member, &set.names).collect());
        self.group.targets.iter().map(known).collect()
    }

    /// Why there is no endpoint to pick, once that is known.
    pub(crate) fn empty(&self) -> Option<Reason> {
        self.set.load().empty
    }

    /// Its endpoints at this moment.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.set.load().endpoints.to_vec()
    }

    /// The endpoint to try next; those in `tried` only once all have been.
    ///
    /// # Errors
    /// With the reason why there is none.
    pub async fn pick(
        self: &Arc<Self>,
        shard: usize,
        tried: &[Arc<Endpoint>],
    ) -> Result<Arc<Endpoint>, Error> {
        match self.try_pick(shard, tried) {
            Some(picked) => picked,
            // Rare, and in a box: a request that need not wait holds no room for it.
            None => Box::pin(self.pick_resolved(shard, tried)).await,
        }
    }

    /// `pick`, unless the first look-up is not over yet.
    fn try_pick(
        self: &Arc<Self>,
        shard: usize,
        tried: &[Arc<Endpoint>],
    ) -> Option<Result<Arc<Endpoint>, Error>> {
        self.keep_resolved();
        let set = self.set.load();
        if let Some(endpoint) = set.pick(shard, tried) {
            return Some(Ok(endpoint));
        }
        set.empty.map(|reason| Err(reason.into()))
    }

    #[cold]
    async fn pick_resolved(
        self: &Arc<Self>,
        shard: usize,
        tried: &[Arc<Endpoint>],
    ) -> Result<Arc<Endpoint>, Error> {
        let waiting = async {
            loop {
                let resolved = self.resolved.notified();
                if let Some(picked) = self.try_pick(shard, tried) {
                    return picked;
                }
                resolved.await;
            }
        };
        timeout(FIRST_LOOKUP, waiting).await.unwrap_or_else(|_| Err(Reason::DnsError.into()))
    }

    /// Starts the task that looks up names, if there are any and it is not running yet.
    fn keep_resolved(self: &Arc<Self>) {
        if self.named && self.task.get().is_none() {
            self.task.get_or_init(|| Task(tokio::spawn(keep_resolved(Arc::downgrade(self))).abort_handle()));
        }
    }

    /// The targets that are names.
    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.group.targets.iter().filter(|member| member.ip().is_none()).map(|member| &member.host)
    }

    /// Looks every name up; how long until that should be done again.
    async fn resolve(&self) -> Duration {
        let before = self.set.load_full();
        let mut names = before.names.clone();
        let mut next = LONGEST_TTL;
        let mut wanted: Vec<_> = self.names().map(Arc::clone).collect();
        wanted.sort();
        wanted.dedup();
        names.retain(|name, _| wanted.binary_search(name).is_ok());
        for batch in wanted.chunks(PARALLEL_LOOKUPS) {
            for (name, found) in self.look_up(batch).await {
                match found {
                    Ok(resolved) => {
                        next = next.min(resolved.ttl.max(SHORTEST_TTL));
                        names.insert(name, resolved);
                    }
                    Err(error) => {
                        next = SHORTEST_TTL;
                        tracing::warn!(upstream = %self.group.name, %name, error, "name does not resolve");
                    }
                }
            }
        }
        if names != before.names || before.empty.is_none() {
            self.set.store(Arc::new(self.build(names, Some(&before)).settled()));
        }
        self.resolved.notify_waiters();
        next
    }

    async fn look_up(&self, names: &[Arc<str>]) -> Vec<(Arc<str>, Result<Resolved, String>)> {
        let mut tasks = JoinSet::new();
        for name in names {
            let (name, resolver) = (Arc::clone(name), Arc::clone(&self.resolver));
            tasks.spawn(async move {
                let found = resolver.resolve(&name).await.map_err(|error| error.to_string());
                (name, found)
            });
        }
        tasks.join_all().await
    }

    /// The set that `names` yield; endpoints of `known` are kept.
    fn build(&self, names: HashMap<Arc<str>, Resolved>, known: Option<&Set>) -> Set {
        let known: HashMap<_, _> = known
            .into_iter()
            .flat_map(|set| &set.endpoints)
            .map(|endpoint| ((Arc::clone(endpoint.name()), endpoint.address()), endpoint))
            .collect();
        let (mut endpoints, mut weights) = (Vec::new(), Vec::new());
        for (member, address, weight) in self.addresses(&names) {
            let hosts = self.group.hosts(member, address.port());
            let kept = known.get(&(Arc::clone(&member.host), address)).filter(|kept| *kept.hosts() == hosts);
            endpoints.push(match kept {
                Some(kept) => Arc::clone(kept),
                None => {
                    let name = Arc::clone(&member.host);
                    Arc::new(Endpoint::new(address, name, hosts, self.shards, self.limits))
                }
            });
            weights.push(weight);
        }
        Set {
            empty: self.emptiness(&endpoints),
            endpoints: endpoints.into(),
            balancer: Box::new(RoundRobin::new(&weights, self.shards)),
            names,
        }
    }

    /// Every address of every target with its weight.
    fn addresses<'a>(
        &'a self,
        names: &'a HashMap<Arc<str>, Resolved>,
    ) -> impl Iterator<Item = (&'a Member, SocketAddr, u16)> {
        let members = self.group.targets.iter().filter(|member| member.weight > 0);
        members.flat_map(|member| {
            addresses_of(member, names).map(move |(address, weight)| (member, address, weight))
        })
    }

    /// Why there are no endpoints, where no look-up can change that.
    fn emptiness(&self, endpoints: &[Arc<Endpoint>]) -> Option<Reason> {
        if !endpoints.is_empty() {
            None
        } else if self.group.targets.is_empty() {
            Some(Reason::NoTargets)
        } else if self.group.targets.iter().all(|member| member.weight == 0) {
            Some(Reason::WeightZero)
        } else {
            None
        }
    }
}

/// Every address of one target with its weight.
fn addresses_of<'a>(
    member: &'a Member,
    names: &'a HashMap<Arc<str>, Resolved>,
) -> impl Iterator<Item = (SocketAddr, u16)> + 'a {
    let fixed = member.ip().map(|ip| Resolution { ip, port: None, weight: None });
    let looked_up = names.get(&member.host).map(|found| found.addresses.as_slice()).unwrap_or_default();
    fixed.into_iter().chain(looked_up.iter().copied()).map(move |found| {
        let address = SocketAddr::new(found.ip, found.port.unwrap_or(member.port));
        (address, found.weight.unwrap_or(member.weight))
    })
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Set {
    fn empty() -> Self {
        let balancer = Box::new(RoundRobin::new(&[], 1));
        Self { endpoints: Box::default(), balancer, names: HashMap::new(), empty: None }
    }

    /// The set after a look-up: if it is empty now, the names do not resolve.
    fn settled(mut self) -> Self {
        if self.endpoints.is_empty() {
            self.empty = self.empty.or(Some(Reason::DnsError));
        }
        self
    }

    fn pick(&self, shard: usize, tried: &[Arc<Endpoint>]) -> Option<Arc<Endpoint>> {
        let was_tried = |index: usize| {
            let endpoint = self.endpoints.get(index);
            endpoint.is_some_and(|endpoint| tried.iter().any(|other| Arc::ptr_eq(other, endpoint)))
        };
        let fresh = if tried.is_empty() { Pick::any(shard) } else { Pick::but(shard, &was_tried) };
        let index = self.balancer.pick(&fresh).or_else(|| self.balancer.pick(&Pick::any(shard)))?;
        self.endpoints.get(index).cloned()
    }
}

/// Keeps the names of an upstream resolved for as long as it is there.
async fn keep_resolved(upstream: Weak<Upstream>) {
    loop {
        let Some(strong) = upstream.upgrade() else { return };
        let next = strong.resolve().await;
        drop(strong);
        sleep(next.min(LONGEST_TTL)).await;
    }
}
