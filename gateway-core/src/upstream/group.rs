//! An upstream at run time: its endpoints as they are now, and the task that keeps them so.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::Notify, time::timeout};

use super::{
    Endpoint, Hashing, Resolve, pool::PoolLimits, set::Set, target::Group, task::Task, watch::Watch,
};
use crate::{
    balance::Crowd,
    clock,
    error::{Error, Reason},
};

/// A group of endpoints behind one name.
///
/// What its names resolve to is looked up by a task of its own, from the first request on and
/// again as each answer runs out; a failed look-up keeps the last good answer. Endpoints are probed, where
/// the group asks for it, from [`start`](Self::start) or the first request on. The tasks end with the upstream.
///
/// Who is unwell is not picked: each change of health lays the balancer out anew, so a pick does not look at
/// health at all.
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
    pub(super) group: Group,
    /// Whether any target is a name.
    pub(super) named: bool,
    /// Whether it has tasks; asked on every request, so not worked out there.
    tended: bool,
    pub(super) set: ArcSwap<Set>,
    pub(super) watch: Option<Box<Watch>>,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) tasks: OnceLock<Box<[Task]>>,
    pub(super) resolved: Notify,
    /// Told when health has changed.
    pub(super) turned: Arc<Notify>,
    /// Sets are made one at a time; picks never take it.
    pub(super) making: Mutex<()>,
    pub(super) shards: usize,
    pub(super) limits: PoolLimits,
    /// Where the requests of all endpoints are counted together, if they are.
    pub(super) crowd: Option<Crowd>,
}

/// How long a request waits for the first look-up.
const FIRST_LOOKUP: Duration = Duration::from_secs(5);

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
        let known = previous.map(|previous| previous.set.load_full());
        let names = known.as_ref().map(|known| known.names.clone()).unwrap_or_default();
        let before = previous.and_then(|previous| previous.watch.as_deref());
        let watch = Watch::new(&group, before);
        let named = group.targets.iter().any(|member| member.ip().is_none());
        let tended = named || watch.as_ref().is_some_and(|watch| watch.prober.is_some());
        let crowd = previous.and_then(|previous| previous.crowd.clone());
        let crowd = group.is_bounded().then(|| crowd.unwrap_or_default());
        let upstream = Self {
            set: ArcSwap::from_pointee(Set::empty(&group)),
            watch,
            tasks: OnceLock::new(),
            resolved: Notify::new(),
            turned: Arc::default(),
            making: Mutex::new(()),
            named,
            tended,
            group,
            resolver,
            shards,
            limits,
            crowd,
        };
        let set = upstream.build(names, known.as_deref());
        // What nobody checks is well, and so is what nobody checked: a state from before says nothing.
        let checks = |watch: Option<&Watch>| watch.is_some_and(|watch| watch.checks);
        if !checks(before) || !checks(upstream.watch.as_deref()) {
            for endpoint in &set.endpoints {
                endpoint.vital().set(true);
            }
        }
        upstream.set.store(Arc::new(upstream.judged(set)));
        Arc::new(upstream)
    }

    /// What it was made of.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Its endpoints at this moment.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.set.load().endpoints.to_vec()
    }

    /// What its requests are told apart by, where that decides who takes them.
    #[must_use]
    pub const fn hashing(&self) -> Option<&Hashing> {
        self.group.hashing.as_ref()
    }

    /// Whether its endpoints are checked, as Kong sees it: by probes, or by failures of requests.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.checks)
    }

    /// Why no endpoint takes requests now, where that is so.
    #[must_use]
    pub fn outage(&self) -> Option<Reason> {
        self.set.load().empty
    }

    /// Whether its names have been looked up since it came to be: then a target without endpoints does not resolve.
    #[must_use]
    pub fn is_looked_up(&self) -> bool {
        self.set.load().looked_up
    }

    /// Makes an endpoint healthy or unhealthy by hand, until a check or a hand finds otherwise.
    ///
    /// # Errors
    /// With [`Unchecked`] where the upstream has no checks: then health is not looked at.
    pub fn set_health(&self, endpoint: &Endpoint, healthy: bool) -> Result<(), Unchecked> {
        let watch = self.watch.as_ref().filter(|watch| watch.checks).ok_or(Unchecked)?;
        if endpoint.vital().set(healthy) {
            watch.changed();
            self.judge_again();
        }
        Ok(())
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
        self.pick_hashed(shard, None, tried).await
    }

    /// The same for a request with this [`hash`](crate::balance::hash), where requests are told apart.
    ///
    /// # Errors
    /// With the reason why there is none.
    pub async fn pick_hashed(
        self: &Arc<Self>,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Result<Arc<Endpoint>, Error> {
        self.pick_within(None, shard, hash, tried).await
    }

    /// The same among those of a subset alone, where one is named.
    ///
    /// # Errors
    /// With the reason why there is none; [`Reason::NoTargets`] where no target is in such a subset.
    pub async fn pick_within(
        self: &Arc<Self>,
        subset: Option<&str>,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Result<Arc<Endpoint>, Error> {
        match self.try_pick(subset, shard, hash, tried) {
            Some(picked) => picked,
            // Rare, and in a box: a request that need not wait holds no room for it.
            None => Box::pin(self.pick_resolved(subset, shard, hash, tried)).await,
        }
    }

    /// `pick`, unless the first look-up is not over yet.
    fn try_pick(
        self: &Arc<Self>,
        subset: Option<&str>,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Option<Result<Arc<Endpoint>, Error>> {
        if self.tended && self.tasks.get().is_none() {
            self.start(&Handle::current());
        }
        let mut set = self.set.load();
        if set.within(subset).is_some_and(|part| part.ailing.is_some()) {
            if let Some(on_trial) = self.begin_trial(subset, tried) {
                return Some(Ok(on_trial));
            }
            set = self.set.load();
        }
        let Some(part) = set.within(subset) else { return Some(Err(Reason::NoTargets.into())) };
        if let Some(endpoint) = part.pick(shard, hash, tried) {
            return Some(Ok(endpoint));
        }
        part.empty.map(|reason| Err(reason.into()))
    }

    /// An ejected endpoint whose back-off is over: this request tries it.
    #[cold]
    fn begin_trial(&self, subset: Option<&str>, tried: &[Arc<Endpoint>]) -> Option<Arc<Endpoint>> {
        let watch = self.watch.as_ref()?;
        let set = self.set.load();
        let ailing = set.within(subset).and_then(|part| part.ailing.as_ref());
        if ailing.is_some_and(|ailing| ailing.is_due(clock::now())) {
            // The shares of those that warm up are laid out anew.
            watch.changed();
        }
        if set.generation != watch.generation() {
            self.judge_again();
        }
        let set = self.set.load();
        set.within(subset)?.ailing.as_ref()?.begin_trial(watch.recovery.as_ref()?, tried)
    }

    #[cold]
    async fn pick_resolved(
        self: &Arc<Self>,
        subset: Option<&str>,
        shard: usize,
        hash: Option<u32>,
        tried: &[Arc<Endpoint>],
    ) -> Result<Arc<Endpoint>, Error> {
        let waiting = async {
            loop {
                let resolved = self.resolved.notified();
                if let Some(picked) = self.try_pick(subset, shard, hash, tried) {
                    return picked;
                }
                resolved.await;
            }
        };
        timeout(FIRST_LOOKUP, waiting).await.unwrap_or_else(|_| Err(Reason::DnsError.into()))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("group", &self.group).finish_non_exhaustive()
    }
}

/// An upstream without checks: nobody looks at the health of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchecked;

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream has no health checks")
    }
}

impl std::error::Error for Unchecked {}
