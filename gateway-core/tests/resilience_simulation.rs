//! A service that dies and comes back, in virtual time: what its clients' retries, breakers and limits do to it. Each run
//! is the same as the one before, as time is paused and lots are drawn from a seed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_core::{
    Body,
    breaker::{Breaker, Settings as BreakerSettings, State},
    layers::{BreakerError, BreakerLayer, Failed, RetryLayer},
    retry::{Settings as RetrySettings, Share},
};
use http::{Request, Response, StatusCode};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// Requests a second.
const LOAD: usize = 1_000;

/// A service that is down for some seconds, and counts the requests that reach it, second by second.
#[derive(Clone)]
struct Upstream {
    begun: Instant,
    down: Range<u64>,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Upstream {
    fn new(down: Range<u64>) -> Self {
        Self { begun: Instant::now(), down, seen: Arc::new(Mutex::new(vec![0; 200])) }
    }

    async fn answer(self) -> Result<Response<Body>, Infallible> {
        let second = self.begun.elapsed().as_secs();
        self.seen.lock().unwrap()[usize::try_from(second).unwrap()] += 1;
        sleep(Duration::from_millis(5)).await;
        let mut response = Response::new(Body::empty());
        if self.down.contains(&second) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        Ok(response)
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<>,
    > + Clone
    + Send
    + use<> {
        let upstream = self.clone();
        service_fn(move |_: Request<Body>| upstream.clone().answer())
    }

    /// What it has seen in these seconds.
    fn seen(&self, seconds: Range<u64>) -> usize {
        let range = usize::try_from(seconds.start).unwrap()..usize::try_from(seconds.end).unwrap();
        self.seen.lock().unwrap()[range].iter().sum()
    }
}

fn retry_settings() -> RetrySettings {
    let mut settings = RetrySettings::default();
    settings.retries = Some(5);
    settings
}

/// A steady load for `seconds`; how many requests were answered well in each of them.
async fn load<S, E>(client: S, begun: Instant, seconds: u64) -> Vec<usize>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E> + Clone + Send + 'static,
    S::Future: Send,
    E: Send + 'static,
{
    fastrand::seed(7);
    let mut tasks = JoinSet::new();
    for number in 0..seconds * LOAD as u64 {
        sleep_until(begun + Duration::from_secs(1) / LOAD as u32 * u32::try_from(number).unwrap()).await;
        let asked = client.clone().oneshot(Request::new(Body::empty()));
        tasks.spawn(async move { (number / LOAD as u64, asked.await.is_ok_and(|it| it.status() == 200)) });
    }
    let mut well = vec![0; usize::try_from(seconds).unwrap()];
    for (second, ok) in tasks.join_all().await {
        well[usize::try_from(second).unwrap()] += usize::from(ok);
    }
    well
}

#[tokio::test(start_paused = true)]
async fn a_dead_service_sees_a_fifth_more_and_no_storm_when_it_is_back_g13() {
    let upstream = Upstream::new(5..25);
    let layer = RetryLayer::new(retry_settings(), Share::default());
    let client = ServiceBuilder::new().layer(layer).service(upstream.service());
    let well = load(client, upstream.begun, 30).await;
    // Dead: at most a fifth more, and ten a second. The first seconds spend what was paid in before.
    let down = upstream.seen(5..25);
    assert!(down <= 20 * LOAD * 12 / 10 + LOAD * 5 / 5 + 10 * 21, "{down}");
    let settled = upstream.seen(15..25);
    assert!(settled <= 10 * LOAD * 12 / 10 + 10 * 11, "{settled}");
    // Back: the first second sees hardly more than the load, and nothing is lost.
    let first = upstream.seen(25..26);
    assert!(first * 10 <= LOAD * 15, "{first}");
    assert!(well[26..].iter().all(|well| *well == LOAD), "{well:?}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_spares_a_dead_service_and_lets_it_come_back_g13() {
    let upstream = Upstream::new(5..25);
    let mut settings = BreakerSettings::default();
    (settings.open_for, settings.max_open) = (Duration::from_secs(1), Duration::from_secs(2));
    let breaker = Arc::new(Breaker::default());
    let guard = BreakerLayer::new(settings).sharing(Arc::clone(&breaker));
    let retry =
        RetryLayer::new(retry_settings(), Share::default()).judge(|error: &BreakerError<Infallible>| {
            match error {
                BreakerError::Open(_) => Failed::Final,
                BreakerError::Inner(_) => Failed::Unknown,
            }
        });
    let client = ServiceBuilder::new().layer(retry).layer(guard).service(upstream.service());
    let well = load(client, upstream.begun, 30).await;
    // Five failures in a row open it, which takes milliseconds; then three probes a time at most.
    let down = upstream.seen(5..25);
    assert!(down <= 100, "{down}");
    // It closes within two intervals, and its first second is not a storm.
    let first = (25..30).find(|second| upstream.seen(*second..second + 1) > LOAD / 2).unwrap();
    assert!(first <= 27 && upstream.seen(first..first + 1) * 10 <= LOAD * 15, "{first}");
    assert!(well[28..].iter().all(|well| *well == LOAD), "{well:?}");
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_the_same_each_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let upstream = Upstream::new(1..3);
        let layer = RetryLayer::new(retry_settings(), Share::default());
        let client = ServiceBuilder::new().layer(layer).service(upstream.service());
        let well = load(client, upstream.begun, 5).await;
        runs.push((well, upstream.seen.lock().unwrap().clone()));
    }
    assert_eq!(runs[0], runs[1]);
}
