//! Which side a request goes to, and when there is only one side left.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, Request, Uri, uri::PathAndQuery};

use super::super::told_apart::ToldApart;
use crate::{
    Body,
    clock::{self, unix_seconds},
    plugin::{Destination, Exchange, Flow, Handler, Reading, Source},
    split::{Comparison, Limits, Outcome, Plan, Regression, Side},
    upstream::cookie,
};

/// A canary, configured.
pub(super) struct CanaryHandler {
    pub(super) destination: Arc<Destination>,
    pub(super) choice: Choice,
    /// What is asked for there.
    pub(super) uri: Option<PathAndQuery>,
    pub(super) fallback: bool,
    pub(super) by_header: Option<HeaderName>,
    pub(super) by_cookie: Option<Box<str>>,
    /// Whether it may be broken off.
    pub(super) trial: Option<Trial>,
    /// Requests that the canary got.
    pub(super) sent: AtomicU64,
}

/// Who is in the canary.
pub(super) enum Choice {
    /// A share of all.
    Share(ToldApart, Plan),
    /// Consumers of one of these groups.
    Allow(Box<[Box<str>]>),
    /// Everybody but them.
    Deny(Box<[Box<str>]>),
}

/// A canary that is compared with the stable side.
pub(super) struct Trial {
    limits: Limits,
    /// Behind a lock, held for a few instructions once a request.
    comparison: Mutex<Comparison>,
    broken_off: AtomicBool,
}

impl Trial {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, comparison: Mutex::default(), broken_off: AtomicBool::new(false) }
    }

    /// Takes an outcome. Gives in what the canary is worse where that has just turned out.
    fn add(&self, side: Side, outcome: Outcome, now: u64) -> Option<Regression> {
        if self.broken_off.load(Relaxed) {
            return None;
        }
        let mut comparison = self.comparison.lock().unwrap_or_else(PoisonError::into_inner);
        let found = comparison.add(&self.limits, side, outcome, now)?;
        (!self.broken_off.swap(true, Relaxed)).then_some(found)
    }
}

impl Handler for CanaryHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let told = self.told(request);
        if told.unwrap_or_else(|| self.is_in(request, exchange))
            && exchange.send_to_if_well(&self.destination, self.fallback)
        {
            self.sent.fetch_add(1, Relaxed);
            self.ask_for(request);
        }
        Flow::Continue
    }

    fn on_log(&self, exchange: &Exchange) {
        let Some((trial, outcome)) = self.trial.as_ref().zip(outcome(exchange)) else { return };
        let side = match exchange.destination.as_ref() {
            Some(destination) if *destination == self.destination => Side::Canary,
            _ => Side::Stable,
        };
        if let Some(worse) = trial.add(side, outcome, clock::now()) {
            tracing::warn!(canary = %self.destination, ?worse, "a canary is worse than the stable side: it is broken off");
        }
    }

    fn destinations(&self) -> Vec<Arc<Destination>> {
        vec![Arc::clone(&self.destination)]
    }

    fn readings(&self) -> Vec<Reading> {
        let show = |metric: &'static str, help, value| Reading {
            metric: metric.into(),
            help,
            service: None,
            labels: Vec::new(),
            value,
        };
        let mut readings = vec![show(
            "gateway_canary_requests_total",
            "Requests that a canary got",
            self.sent.load(Relaxed),
        )];
        if let Choice::Share(_, plan) = &self.choice {
            let percent = if self.is_broken_off() { 0.0 } else { plan.at(unix_seconds()).percent() };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
            let percent = percent as u64;
            readings.push(show(
                "gateway_canary_percent",
                "Share of the requests that a canary gets",
                percent,
            ));
        }
        if self.trial.is_some() {
            let broken_off = self.is_broken_off().into();
            readings.push(show(
                "gateway_canary_broken_off",
                "Whether a canary was worse and gets nothing",
                broken_off,
            ));
        }
        readings
    }
}

impl CanaryHandler {
    /// What the request itself says: a header first, then a cookie.
    fn told(&self, request: &Request<Body>) -> Option<bool> {
        let headers = request.headers();
        let header = self.by_header.as_ref().and_then(|name| headers.get(name)).map(HeaderValue::as_bytes);
        let cookie = || self.by_cookie.as_deref().and_then(|name| cookie(headers, name));
        header.and_then(decision).or_else(|| cookie().and_then(decision))
    }

    /// Whether a request that says nothing is in the canary.
    fn is_in(&self, request: &Request<Body>, exchange: &Exchange) -> bool {
        if self.is_broken_off() {
            return false;
        }
        match &self.choice {
            Choice::Share(told_apart, plan) => {
                let now = if matches!(plan, Plan::Fixed(_)) { 0 } else { unix_seconds() };
                plan.at(now).has(told_apart.lot(request, exchange))
            }
            Choice::Allow(groups) => is_of(exchange, groups),
            Choice::Deny(groups) => !is_of(exchange, groups),
        }
    }

    fn is_broken_off(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.broken_off.load(Relaxed))
    }

    /// The canary's own path in place of the request's; a query of its own in place of the request's too.
    fn ask_for(&self, request: &mut Request<Body>) {
        let Some(uri) = &self.uri else { return };
        let target = match (uri.query(), request.uri().query()) {
            (None, Some(query)) => PathAndQuery::from_maybe_shared(format!("{uri}?{query}")).ok(),
            _ => Some(uri.clone()),
        };
        if let Some(target) = target {
            *request.uri_mut() = Uri::from(target);
        }
    }
}

fn decision(value: &[u8]) -> Option<bool> {
    match value {
        b"always" => Some(true),
        b"never" => Some(false),
        _ => None,
    }
}

/// Whether the caller is in one of these groups.
fn is_of(exchange: &Exchange, groups: &[Box<str>]) -> bool {
    let own = exchange.identity().map(|identity| identity.groups()).unwrap_or_default();
    own.iter().any(|own| groups.iter().any(|group| **group == **own))
}

/// What became of a request, where that says something of the side that it went to: answers of the upstream, and what
/// it failed to answer.
fn outcome(exchange: &Exchange) -> Option<Outcome> {
    let blamed = exchange.reason.is_some_and(crate::Reason::blames_upstream);
    if exchange.source != Source::Service && !blamed {
        return None;
    }
    let began = exchange.timings.forwarded.unwrap_or_default();
    let took = exchange.timings.responded.map_or(Duration::ZERO, |at| at.saturating_sub(began));
    Some(Outcome { failed: blamed || exchange.status.is_server_error(), took })
}

#[cfg(test)]
mod tests;
