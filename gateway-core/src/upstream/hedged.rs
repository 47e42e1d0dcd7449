//! A try, and a second one beside it where it takes long.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::Request;
use smallvec::SmallVec;
use tokio::time::sleep;

use super::{
    Endpoint,
    attempt::{Answered, Failure},
    rules::{Permits, Rules},
    tries::Tries,
};
use crate::{
    Body,
    plugin::{Exchange, Hedging},
};

/// A second try that may follow.
pub(super) struct Second<'a> {
    hedging: &'a Hedging,
    after: Duration,
    /// The request, once more.
    request: Request<Body>,
}

/// What the request has met before.
#[derive(Clone, Copy)]
pub(super) struct Met<'a> {
    /// Endpoints that failed.
    pub(super) tried: &'a [Arc<Endpoint>],
    /// When all tries together are over.
    pub(super) due: Option<Instant>,
}

type Tried = Result<Answered, Failure>;

impl Tries<'_> {
    /// Whether a second try may follow the one that begins: beside the first one only, where the request can be there
    /// twice.
    pub(super) fn hedge<'r>(
        &self,
        request: &Request<Body>,
        exchange: &Exchange,
        rules: &Rules<'r>,
    ) -> Option<Second<'r>> {
        let hedging = rules.hedge.filter(|_| exchange.tries == 1 && exchange.upgrade.is_none())?;
        let after = hedging.delay(request.method())?;
        Some(Second { hedging, after, request: copy(request)? })
    }

    /// Tries at the first endpoint, and after a while at a second one too. What answers first is the answer, and the
    /// other try is over: its connection closes. A failure waits for the other try. `first` is then the endpoint that
    /// the outcome is about, with its permits.
    pub(super) async fn try_twice(
        &self,
        first: (&mut Arc<Endpoint>, &mut Permits),
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        rules: &Rules<'_>,
        met: Met<'_>,
        mut second: Second<'_>,
    ) -> Tried {
        let begun = Instant::now();
        let (own, permits) = first;
        let asked = Arc::clone(own);
        let mut trying = pin!(self.try_once(&asked, request, begun, rules, met.due));
        if let Some(tried) = within(second.after, trying.as_mut()).await {
            return tried;
        }
        let Some((other, mut beside)) = self.enter_beside(&asked, rules, met.tried, second.hedging).await
        else {
            return trying.await;
        };
        exchange.begin_try(other.address());
        let later = Instant::now();
        let asking = pin!(self.try_once(&other, &mut second.request, later, rules, met.due));
        let Either { tried, by_second, failed } = either(trying, asking).await;
        if by_second {
            if let Some(failure) = failed {
                self.tell(&asked, &Err(failure), permits, begun, true);
            }
            if tried.is_ok() {
                second.hedging.won();
            }
            (*own, *permits) = (Arc::clone(&other), beside);
        } else {
            if let Some(failure) = failed {
                self.tell(&other, &Err(failure), &mut beside, later, true);
            }
            exchange.first_try_ended(asked.address());
        }
        tried
    }

    /// Another endpoint that all guards let the request to, if the budget has one more try.
    async fn enter_beside(
        &self,
        first: &Arc<Endpoint>,
        rules: &Rules<'_>,
        tried: &[Arc<Endpoint>],
        hedging: &Hedging,
    ) -> Option<(Arc<Endpoint>, Permits)> {
        let avoided: SmallVec<[_; 2]> = tried.iter().chain([first]).cloned().collect();
        let other = self.pick(&avoided).await.ok()?;
        if avoided.iter().any(|known| Arc::ptr_eq(known, &other)) || !hedging.take_one() {
            return None;
        }
        let permits = rules.guards.iter().map(|guard| guard.admit_try(other.address()));
        permits.collect::<Result<Permits, _>>().ok().map(|permits| (other, permits))
    }
}

/// The outcome, if it comes in this time.
async fn within<F: Future>(time: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = &mut future => Some(output),
        () = sleep(time) => None,
    }
}

/// What became of two tries.
struct Either {
    /// The first answer, or what came last where both failed.
    tried: Tried,
    by_second: bool,
    /// How the other one failed, if it had before.
    failed: Option<Failure>,
}

async fn either<A, B>(mut first: Pin<&mut A>, mut second: Pin<&mut B>) -> Either
where
    A: Future<Output = Tried>,
    B: Future<Output = Tried>,
{
    let (mut first_failed, mut second_failed) = (None, None);
    poll_fn(|cx| {
        if first_failed.is_none()
            && let Poll::Ready(tried) = first.as_mut().poll(cx)
        {
            match tried {
                Err(failure) if second_failed.is_none() => first_failed = Some(failure),
                tried => {
                    return Poll::Ready(Either { tried, by_second: false, failed: second_failed.take() });
                }
            }
        }
        if second_failed.is_none()
            && let Poll::Ready(tried) = second.as_mut().poll(cx)
        {
            match tried {
                Err(failure) if first_failed.is_none() => second_failed = Some(failure),
                tried => return Poll::Ready(Either { tried, by_second: true, failed: first_failed.take() }),
            }
        }
        Poll::Pending
    })
    .await
}

/// The same request once more, where its body is in memory.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let body = match request.body().as_bytes() {
        Some(bytes) => Body::from(bytes.clone()),
        None if http_body::Body::is_end_stream(request.body()) => Body::empty(),
        None => return None,
    };
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
