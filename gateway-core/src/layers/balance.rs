//! One of several services for each call.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

use super::{Classify, ServerErrors, time::Clock};
use crate::{
    balance::{Balancer, LeastConnections, Load, Pick},
    health::{Counted, Counter, Health, Outliers, Recovery, Rounds},
};

/// Spreads calls over several services that do the same, the endpoints of another service: of two the one with fewer calls
/// under way, the one whose turn it is and one by lot.
///
/// It is a layer over a `Vec` of services, each with its own address, pool and breaker. It leaves requests and responses
/// alone, and answers by itself only where there is no service at all. Clones of one service share what they know.
/// [`ejecting`](Self::ejecting) has it leave out for a time who fails more often than the others. A call that is dropped
/// before it has ended says nothing.
///
/// ```
/// use gateway_core::layers::BalanceLayer;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let endpoint = |name: &'static str| {
///     service_fn(move |_: ()| async move { Ok::<_, std::io::Error>(http::Response::new(name)) })
/// };
/// let client = ServiceBuilder::new()
///     .layer(BalanceLayer::new())
///     .service(vec![endpoint("one"), endpoint("two")]);
///
/// let mut names = Vec::new();
/// for _ in 0..4 {
///     names.push(client.clone().oneshot(()).await.unwrap().into_body());
/// }
/// // Idle ones take turns.
/// assert_eq!(names, ["one", "two", "one", "two"]);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct BalanceLayer<C = ServerErrors> {
    classify: C,
    ejecting: Option<(Outliers, Recovery)>,
}

impl BalanceLayer {
    /// One that leaves nobody out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> BalanceLayer<C> {
    /// The same, which leaves out who fails more often than the others, and tries them again as `recovery` says. Its
    /// `panic_threshold` is not looked at: where all are out, all are asked.
    #[must_use]
    pub const fn ejecting(mut self, outliers: Outliers, recovery: Recovery) -> Self {
        self.ejecting = Some((outliers, recovery));
        self
    }

    /// The same, with another view of what a failure is.
    #[must_use]
    pub fn classify<D>(self, classify: D) -> BalanceLayer<D> {
        BalanceLayer { classify, ejecting: self.ejecting }
    }
}

impl<S, C: Clone> Layer<Vec<S>> for BalanceLayer<C> {
    type Service = BalanceService<S, C>;

    fn layer(&self, services: Vec<S>) -> Self::Service {
        let members: Vec<_> = services.iter().map(|_| Arc::new(Member::default())).collect();
        let shared = Shared {
            balancer: LeastConnections::new(&members, &vec![1; members.len()], 1),
            members,
            ejecting: self.ejecting,
            rounds: Rounds::default(),
            next_trial: AtomicU64::new(NEVER),
            clock: Clock::start(),
        };
        BalanceService {
            services: services.into(),
            classify: self.classify.clone(),
            shared: Arc::new(shared),
        }
    }
}

/// A service that is several. See [`BalanceLayer`].
#[derive(Debug)]
pub struct BalanceService<S, C = ServerErrors> {
    services: Arc<[S]>,
    classify: C,
    shared: Arc<Shared>,
}

impl<S, C: Clone> Clone for BalanceService<S, C> {
    fn clone(&self) -> Self {
        let (services, shared) = (Arc::clone(&self.services), Arc::clone(&self.shared));
        Self { services, classify: self.classify.clone(), shared }
    }
}

impl<S, C> BalanceService<S, C> {
    /// How many of its services are left out now.
    #[must_use]
    pub fn ejected(&self) -> usize {
        self.shared.out()
    }
}

impl<S, C, R> Service<R> for BalanceService<S, C>
where
    S: Service<R> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BalanceError<S::Error>;
    type Future = BalanceFuture<S, R, C>;

    /// Always ready: it waits for the one that is picked, within the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let picked = self.shared.pick();
        let way = match picked.and_then(|index| Some((index, self.services.get(index)?.clone()))) {
            None => Way::Nowhere,
            Some((index, service)) => Way::Called {
                future: Oneshot::new(service, request),
                under_way: UnderWay::new(&self.shared, index),
                classify: self.classify.clone(),
            },
        };
        BalanceFuture { way }
    }
}

/// What all clones know.
#[derive(Debug)]
struct Shared {
    balancer: LeastConnections<Member>,
    members: Vec<Arc<Member>>,
    ejecting: Option<(Outliers, Recovery)>,
    rounds: Rounds,
    /// When the first of those that are out may be tried.
    next_trial: AtomicU64,
    clock: Clock,
}

const NEVER: u64 = u64::MAX;

/// One of the services, as far as it is looked at.
#[derive(Debug, Default)]
struct Member {
    load: Load,
    counter: Counter,
    out: AtomicBool,
    /// Behind a lock, held for a few instructions, by those that change something.
    health: Mutex<Health>,
}

impl AsRef<Load> for Member {
    fn as_ref(&self) -> &Load {
        &self.load
    }
}

impl Member {
    fn change<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut health);
        self.out.store(!health.state().is_available(), Relaxed);
        changed
    }
}

impl Shared {
    fn pick(&self) -> Option<usize> {
        let any = Pick::any(0).drawing(fastrand::u64(..));
        if self.next_trial.load(Relaxed) == NEVER {
            return self.balancer.pick(&any);
        }
        let is_out = |index: usize| self.members.get(index).is_some_and(|member| member.out.load(Relaxed));
        let but = Pick::but(0, &is_out).drawing(any.random);
        self.begin_trial().or_else(|| self.balancer.pick(&but)).or_else(|| self.balancer.pick(&any))
    }

    /// One that is out, whose time is over.
    #[cold]
    fn begin_trial(&self) -> Option<usize> {
        let (now, (_, recovery)) = (self.clock.now(), self.ejecting?);
        if now < self.next_trial.load(Relaxed) {
            return None;
        }
        let mut all = self.members.iter();
        let begun = all.position(|member| member.change(|health| health.begin_trial(&recovery, now)));
        self.note_trials();
        begun
    }

    fn note_trials(&self) {
        let at = |member: &Arc<Member>| member.change(|health| health.trial_at());
        self.next_trial.store(self.members.iter().filter_map(at).min().unwrap_or(NEVER), Relaxed);
    }

    fn out(&self) -> usize {
        self.members.iter().filter(|member| member.out.load(Relaxed)).count()
    }

    /// Takes what became of a call.
    fn report(&self, index: usize, failed: bool) {
        let (Some((outliers, recovery)), Some(member)) = (&self.ejecting, self.members.get(index)) else {
            return;
        };
        let now = self.clock.now();
        if member.out.load(Relaxed) {
            // Its trial, or a call from before it was out.
            let counted = if failed { Counted::HttpFailure(1) } else { Counted::Nothing };
            member.change(|health| health.report(counted, Some(recovery), now));
            self.note_trials();
            return;
        }
        member.counter.add(failed);
        if self.rounds.is_over(crate::clock::millis(outliers.interval), now) {
            self.eject(outliers, recovery, now);
        }
    }

    #[cold]
    fn eject(&self, outliers: &Outliers, recovery: &Recovery, now: u64) {
        let tallies: Vec<_> = self.members.iter().map(|member| member.counter.take()).collect();
        for member in outliers.find(&tallies).into_iter().filter_map(|index| self.members.get(index)) {
            if !recovery.allows(self.out(), self.members.len()) {
                break;
            }
            member.change(|health| health.eject_outlier(Some(recovery), now));
        }
        self.note_trials();
    }
}

/// A call under way, also where it is given up.
#[derive(Debug)]
struct UnderWay {
    shared: Arc<Shared>,
    index: usize,
}

impl UnderWay {
    fn new(shared: &Arc<Shared>, index: usize) -> Self {
        if let Some(member) = shared.members.get(index) {
            member.load.enter();
        }
        Self { shared: Arc::clone(shared), index }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(member) = self.shared.members.get(self.index) {
            member.load.leave();
        }
    }
}

pin_project! {
    /// The future of a [`BalanceService`].
    pub struct BalanceFuture<S: Service<R>, R, C> {
        #[pin]
        way: Way<S, R, C>,
    }
}

pin_project! {
    #[project = WayProjected]
    enum Way<S: Service<R>, R, C> {
        Nowhere,
        Called { #[pin] future: Oneshot<S, R>, under_way: UnderWay, classify: C },
    }
}

impl<S: Service<R>, R, C> fmt::Debug for BalanceFuture<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceFuture").finish_non_exhaustive()
    }
}

impl<S, R, C> Future for BalanceFuture<S, R, C>
where
    S: Service<R>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, BalanceError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjected::Nowhere => Poll::Ready(Err(BalanceError::Empty)),
            WayProjected::Called { future, under_way, classify } => {
                let result = ready!(future.poll(cx));
                if let Some(failed) = classify.failed(result.as_ref()) {
                    under_way.shared.report(under_way.index, failed);
                }
                Poll::Ready(result.map_err(BalanceError::Inner))
            }
        }
    }
}

/// Why a [`BalanceService`] has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceError<E> {
    /// It was made of no service.
    Empty,
    /// The one that was picked failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for BalanceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no service to ask"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for BalanceError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Empty => None,
            Self::Inner(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        },
        time::Duration,
    };

    use http::{Response, StatusCode};
    use tokio::{sync::Notify, time::sleep};
    use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};

    use super::{BalanceError, BalanceLayer, BalanceService};
    use crate::health::{Outliers, Recovery};

    type Endpoint = BoxCloneSyncService<bool, Response<usize>, Infallible>;

    /// Answers with its index, a failure while it is `ill`; `true` hangs until it is told.
    fn endpoint(index: usize, ill: Arc<AtomicBool>, go: Arc<Notify>) -> Endpoint {
        BoxCloneSyncService::new(service_fn(move |hangs: bool| {
            let (ill, go) = (Arc::clone(&ill), Arc::clone(&go));
            async move {
                if hangs {
                    go.notified().await;
                }
                let mut response = Response::new(index);
                if ill.load(Relaxed) {
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                }
                Ok(response)
            }
        }))
    }

    fn all(
        count: usize,
        layer: &BalanceLayer,
    ) -> (BalanceService<Endpoint>, Vec<Arc<AtomicBool>>, Arc<Notify>) {
        let (ill, go): (Vec<_>, Arc<Notify>) = ((0..count).map(|_| Arc::default()).collect(), Arc::default());
        let services =
            ill.iter().enumerate().map(|(index, ill)| endpoint(index, Arc::clone(ill), Arc::clone(&go)));
        (layer.layer(services.collect()), ill, go)
    }

    #[tokio::test]
    async fn the_busy_one_is_spared_and_a_call_that_is_dropped_counts_no_more() {
        let (client, _, _go) = all(2, &BalanceLayer::new());
        // Two calls that hang, one at each.
        let hanging: Vec<_> = (0..2).map(|_| tokio::spawn(client.clone().oneshot(true))).collect();
        tokio::task::yield_now().await;
        hanging[1].abort();
        tokio::task::yield_now().await;
        let busy: usize = client.shared.members.iter().map(|member| member.load.in_flight()).sum();
        assert_eq!(busy, 1);
        let mut at_the_busy_one = 0;
        for _ in 0..200 {
            let index = client.clone().oneshot(false).await.unwrap().into_body();
            at_the_busy_one += client.shared.members[index].load.in_flight();
        }
        // Only where both choices fall on it.
        assert!(at_the_busy_one < 80, "{at_the_busy_one}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_more_often_is_out_for_a_time_and_tried_again() {
        let outliers = Outliers {
            interval: Duration::from_secs(1),
            minimum_requests: 10,
            deviations: Some(1.9),
            ..Outliers::default()
        };
        let layer = BalanceLayer::new().ejecting(outliers, Recovery::default());
        let (client, ill, _) = all(6, &layer);
        ill[3].store(true, Relaxed);
        let asked = AtomicUsize::new(0);
        let ask = || async {
            sleep(Duration::from_millis(10)).await;
            let index = client.clone().oneshot(false).await.unwrap().into_body();
            asked.fetch_add(usize::from(index == 3), Relaxed);
        };
        for _ in 0..220 {
            ask().await;
        }
        assert_eq!(client.ejected(), 1);
        let before = asked.swap(0, Relaxed);
        assert!((15..=50).contains(&before), "{before}");
        for _ in 0..1_000 {
            ask().await;
        }
        assert_eq!(asked.load(Relaxed), 0, "out for 30 s");
        // One call tries it, which fails; after a minute another, which does not.
        for _ in 0..2_500 {
            ask().await;
        }
        assert_eq!((asked.swap(0, Relaxed), client.ejected()), (1, 1));
        ill[3].store(false, Relaxed);
        for _ in 0..6_600 {
            ask().await;
        }
        assert_eq!(client.ejected(), 0);
        assert!(asked.load(Relaxed) > 10);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_out_all_are_asked() {
        let outliers = Outliers {
            interval: Duration::from_millis(100),
            minimum_requests: 1,
            minimum_hosts: 1,
            failure_percent: Some(50),
            ..Outliers::default()
        };
        let (client, ill, _) = all(3, &BalanceLayer::new().ejecting(outliers, Recovery::default()));
        ill.iter().for_each(|ill| ill.store(true, Relaxed));
        for _ in 0..60 {
            sleep(Duration::from_millis(10)).await;
            assert_eq!(client.clone().oneshot(false).await.unwrap().status(), 502);
        }
        assert_eq!(client.ejected(), 3);
    }

    #[tokio::test]
    async fn nobody_to_ask_is_an_error() {
        let (mut client, _, _) = all(0, &BalanceLayer::new());
        assert!(matches!(client.ready().await.unwrap().call(false).await, Err(BalanceError::Empty)));
    }
}
