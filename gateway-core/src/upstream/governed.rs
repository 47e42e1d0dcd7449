//! The tries of a request where policies have a say: who lets it in, what is tried again, and when.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::Request;
use smallvec::SmallVec;
use tokio::time::sleep;

use super::{
    Endpoint,
    attempt::{Answered, Attempt, Failure, Reuse},
    hedged::Met,
    http1::{Head, Rewrite},
    rules::{Permits, Rules, settle},
    tries::{Tries, is_idempotent},
};
use crate::{
    Body,
    error::{Error, Reason},
    plugin::{Admission, Exchange, Outcome, Retrying},
};

/// So many endpoints may refuse a request before it is over.
const MOST_REFUSALS: usize = 16;

/// What has been met so far.
#[derive(Default)]
struct Course {
    /// Endpoints that failed.
    tried: SmallVec<[Arc<Endpoint>; 2]>,
    /// Endpoints that a guard kept the request from.
    refused: SmallVec<[Arc<Endpoint>; 2]>,
    /// What the client is told where no other try is let in.
    last: Last,
    /// When all tries together are over.
    due: Option<Instant>,
}

#[derive(Default)]
enum Last {
    #[default]
    Nothing,
    Failed(Error),
    Answered(Answered),
}

/// The last answer, with what is held until it has come down whole.
type Held = (Answered, Permits);

impl Tries<'_> {
    /// The answer, with what is held until it has come down whole.
    pub(super) async fn run_governed(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        rules: &Rules<'_>,
    ) -> Result<Held, Error> {
        let mut permits = Permits::new();
        for guard in &rules.guards {
            permits.push(match guard.admit() {
                Admission::Go(permit) => permit,
                Admission::Refuse(error) => return Err(error),
                Admission::Wait(wait) => wait.await?,
            });
        }
        let begun = Instant::now();
        exchange.timings.forwarded = Some(begun.saturating_duration_since(exchange.started));
        let total = rules.retry.and_then(|retry| retry.settings.limit(request.headers()));
        let due = total.and_then(|total| begun.checked_add(total));
        let course = Course { due, ..Course::default() };
        let answered = self.go_round(request, exchange, rules, course).await;
        settle(&mut permits, &outcome(&answered, begun));
        exchange.timings.responded = answered.is_ok().then(|| exchange.started.elapsed());
        let (answered, of_try) = answered?;
        permits.extend(of_try);
        Ok((answered, permits))
    }

    async fn go_round(
        &self,
        request: &mut Request<Body>,
        exchange: &mut Exchange,
        rules: &Rules<'_>,
        mut course: Course,
    ) -> Result<Held, Error> {
        if let Some(retry) = rules.retry {
            retry.expect_one();
        }
        loop {
            let (mut endpoint, mut permits) = match self.enter(rules, &mut course).await {
                Ok(entered) => entered,
                Err(refused) => return course.last.or(refused),
            };
            std::mem::take(&mut course.last).let_go();
            exchange.begin_try(endpoint.address());
            let begun = Instant::now();
            tell_deadline(request, rules, begun, course.due);
            let tried = match self.hedge(request, exchange, rules) {
                None => self.try_once(&endpoint, request, begun, rules, course.due).await,
                // In a box: where nobody hedges there is no room for it.
                Some(second) => {
                    let first = (&mut endpoint, &mut permits);
                    let met = Met { tried: &course.tried, due: course.due };
                    Box::pin(self.try_twice(first, request, exchange, rules, met, second)).await
                }
            };
            if let Some(hedge) = rules.hedge.filter(|_| tried.is_ok()) {
                hedge.observe(begun.elapsed());
            }
            let tried = tried.map_err(|failure| course.name(failure));
            match &tried {
                Ok((head, ..)) => exchange.end_try(head.status),
                Err(failure) => exchange.fail_try(failure.error.reason().status()),
            }
            let fair = exchange.tries == 1 || !course.is_over();
            self.tell(&endpoint, &tried, &mut permits, begun, fair);
            let wait = self.wait(request, &tried, exchange.tries, rules);
            let Some(wait) = wait.filter(|wait| course.has_time(*wait) && rules.afford_one()) else {
                return tried.map(|answered| (answered, permits)).map_err(|failure| failure.error);
            };
            course.tried.push(endpoint);
            // Its permits go: the next try may need the very place.
            course.last = tried.map_or_else(|failure| Last::Failed(failure.error), Last::Answered);
            if !wait.is_zero() {
                sleep(wait).await;
            }
        }
    }

    /// The next endpoint that all guards let the request to, with their permits. Those that failed are asked again
    /// once no other is left.
    async fn enter(&self, rules: &Rules<'_>, course: &mut Course) -> Result<(Arc<Endpoint>, Permits), Error> {
        let mut refusal = None;
        loop {
            let mut avoided = course.refused.clone();
            avoided.extend(course.tried.iter().cloned());
            let mut picked = self.pick(&avoided).await?;
            if is_among(&picked, &course.refused) {
                picked = self.pick(&course.refused).await?;
            }
            let is_left = course.refused.len() < MOST_REFUSALS && !is_among(&picked, &course.refused);
            match (is_left, refusal.take()) {
                (false, Some(refused)) => return Err(refused),
                (false, None) => return Err(Reason::BreakerOpen.into()),
                (true, _) => {}
            }
            let permits = rules.guards.iter().map(|guard| guard.admit_try(picked.address()));
            match permits.collect() {
                Ok(permits) => return Ok((picked, permits)),
                Err(refused) => refusal = Some(refused),
            }
            course.refused.push(picked);
        }
    }

    /// One try, on a new connection where the one that was idle had been closed.
    pub(super) async fn try_once(
        &self,
        endpoint: &Arc<Endpoint>,
        request: &mut Request<Body>,
        begun: Instant,
        rules: &Rules<'_>,
        due: Option<Instant>,
    ) -> Result<Answered, Failure> {
        let own = rules.retry.and_then(|retry| begun.checked_add(retry.settings.per_try?));
        let attempt = Attempt {
            backend: self.backend,
            endpoint,
            shard: self.shard,
            reuse: Reuse::Allowed,
            begun,
            until: own.into_iter().chain(due).min(),
        };
        let rewrite = Rewrite { host: self.host(endpoint), lines: self.lines };
        let failure = match attempt.run(request, rewrite, self.upload.as_ref()).await {
            Err(failure) if failure.stale => failure,
            settled => return settled,
        };
        if failure.written && !self.may_repeat(request, rules) {
            return Err(failure);
        }
        let fresh = Attempt { reuse: Reuse::Never, begun: Instant::now(), ..attempt };
        fresh.run(request, rewrite, self.upload.as_ref()).await
    }

    /// Tells the upstream's checks and the guards what became of a try. One that met a connection which had been
    /// closed while idle says nothing of its endpoint, nor does one that had less time because of others before.
    pub(super) fn tell(
        &self,
        endpoint: &Endpoint,
        tried: &Result<Answered, Failure>,
        permits: &mut Permits,
        begun: Instant,
        fair: bool,
    ) {
        let says_nothing =
            |failure: &Failure| failure.stale || (failure.error.reason() == Reason::Deadline && !fair);
        if tried.as_ref().is_err_and(says_nothing) {
            return;
        }
        let took = begun.elapsed();
        let result = match tried {
            Ok((head, ..)) => Ok(head.status),
            Err(failure) => Err(failure.error.reason()),
        };
        settle(permits, &Outcome { result, took });
        if self.backend.upstream.is_watched() {
            let learned = tried.as_ref().map(|(head, ..)| head.status.as_u16());
            self.backend.upstream.learn(endpoint, learned, took);
        }
    }

    /// How long to wait before the next try; none: this was the last.
    fn wait(
        &self,
        request: &Request<Body>,
        tried: &Result<Answered, Failure>,
        tries: u32,
        rules: &Rules<'_>,
    ) -> Option<Duration> {
        let Some(retry) = rules.retry else {
            let again = |failure| self.may_try_again(request, failure, tries);
            return tried.as_ref().is_err_and(again).then_some(Duration::ZERO);
        };
        if tries > retry.settings.retries.unwrap_or(self.backend.retries) {
            return None;
        }
        let (settings, lot) = (&retry.settings, fastrand::u64(..));
        match tried {
            // An answer that came before the request was sent has used it up.
            Ok((_, coming)) if coming.is_early() => None,
            Ok((head, ..)) if !self.may_repeat_after(head, request, rules) => None,
            Ok((head, ..)) => settings.wait_after(head.status, &head.headers, tries, lot),
            Err(failure) => {
                let again = settings.covers(failure.error.reason())
                    && (!failure.written || self.may_repeat(request, rules));
                again.then(|| settings.backoff.wait(tries, lot))
            }
        }
    }

    /// Whether a request may be sent again that may have been acted on. A body that has been streamed is not there
    /// any more.
    fn may_repeat(&self, request: &Request<Body>, rules: &Rules<'_>) -> bool {
        let told = |retry: &Retrying| retry.settings.may_repeat(request.method());
        self.has_body(request) && rules.retry.map_or_else(|| is_idempotent(request.method()), told)
    }

    /// The same for one that was answered so.
    fn may_repeat_after(&self, head: &Head, request: &Request<Body>, rules: &Rules<'_>) -> bool {
        let named = || rules.retry.is_some_and(|retry| retry.settings.names_grpc(&head.headers));
        self.may_repeat(request, rules) || (self.has_body(request) && named())
    }
}

impl Course {
    /// Whether there is time for one more try after a wait.
    fn has_time(&self, wait: Duration) -> bool {
        self.due.is_none_or(|due| Instant::now() + wait < due)
    }

    fn is_over(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// A failure by the limit of all tries has a reason of its own.
    fn name(&self, failure: Failure) -> Failure {
        let timed_out = matches!(
            failure.error.reason(),
            Reason::ConnectTimeout | Reason::ReadTimeout | Reason::WriteTimeout
        );
        if !timed_out || !self.is_over() {
            return failure;
        }
        Failure { error: Error::new(Reason::Deadline, failure.error), ..failure }
    }
}

impl Last {
    /// Ends an answer that nobody gets. Its connection serves again where all of it is here, as short ones are.
    fn let_go(self) {
        if let Self::Answered((_, coming)) = self {
            // What is still to come of it is not read: its connection closes with the body, or its stream.
            drop(coming.download(Duration::ZERO));
        }
    }

    /// What the client is told: what came last, or else this.
    fn or(self, error: Error) -> Result<Held, Error> {
        match self {
            Self::Nothing => Err(error),
            Self::Failed(failed) => Err(failed),
            Self::Answered(answered) => Ok((answered, Permits::new())),
        }
    }
}

fn is_among(endpoint: &Arc<Endpoint>, others: &[Arc<Endpoint>]) -> bool {
    others.iter().any(|other| Arc::ptr_eq(other, endpoint))
}

/// Tells the upstream how long it is waited for, where the policy has a field for that.
fn tell_deadline(request: &mut Request<Body>, rules: &Rules<'_>, begun: Instant, due: Option<Instant>) {
    let Some(settings) = rules.retry.map(|retry| &retry.settings) else { return };
    let Some(header) = &settings.deadline_header else { return };
    let left = due.map(|due| due.saturating_duration_since(begun));
    if let Some(left) = left.into_iter().chain(settings.per_try).min() {
        header.write(request.headers_mut(), left);
    }
}

fn outcome(answered: &Result<Held, Error>, begun: Instant) -> Outcome {
    let result = match answered {
        Ok(((head, ..), _)) => Ok(head.status),
        Err(error) => Err(error.reason()),
    };
    Outcome { result, took: begun.elapsed() }
}
