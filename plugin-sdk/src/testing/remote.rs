//! A built plugin in a testbed: the real gateway in another process, asked over a socket of this machine.

use std::{cell::Cell, env, rc::Rc, sync::mpsc::RecvTimeoutError, time::Duration};

use plugin_contract::{
    Call as _, counter, kv,
    ratelimit::{Check, Limiter},
    time::Sleep,
};
use serde_json::Value;

use super::{
    Response,
    answer::Answer,
    clock::{Event, Next, What},
    consumers::Consumer,
    fields::Fields,
    functions,
    link::{Link, TESTBED},
    request::{Received, Request},
    wire::{self, Ask, Refused, Start, Tell},
    world::World,
};
use crate::host::Level;

/// How long nothing must happen before time goes on.
const QUIET: Duration = Duration::from_millis(50);
/// How long nothing may happen at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What depends on the time is answered by the test, whose clock it is.
const ON_THE_CLOCK: [&str; 11] = [
    Sleep::NAME,
    Limiter::NAME,
    Check::NAME,
    counter::Add::NAME,
    kv::Get::NAME,
    kv::Set::NAME,
    kv::Delete::NAME,
    kv::Open::NAME,
    kv::Fetch::NAME,
    kv::Store::NAME,
    kv::Remove::NAME,
];

/// A plugin in a testbed.
pub(super) struct Remote {
    world: Rc<World>,
    plugin: &'static str,
    config: Value,
    link: Link,
    /// Whether the gateway there knows what the test has scripted.
    ready: Cell<bool>,
    trapped: Cell<bool>,
}

/// What has been seen of a request.
#[derive(Default)]
struct Seen {
    upstream: Option<Received>,
    callouts: Vec<(String, Received)>,
}

impl Remote {
    /// Configures the plugin in the testbed that the environment names; nothing where it names none, or where that
    /// has no such plugin.
    pub(super) fn new(
        world: &Rc<World>,
        plugin: &'static str,
        config: &Value,
    ) -> Option<Result<Self, String>> {
        let address = env::var(TESTBED).ok()?;
        let remote = Self {
            world: Rc::clone(world),
            plugin,
            config: config.clone(),
            link: Link::to(&address),
            ready: Cell::new(false),
            trapped: Cell::new(false),
        };
        match remote.start() {
            Ok(()) => Some(Ok(remote)),
            Err(Refused::Unknown) => None,
            Err(Refused::Configuration(why)) => Some(Err(why)),
        }
    }

    /// Sends a request through the gateway.
    pub(super) fn send(&self, request: Request) -> Answer {
        #[expect(clippy::expect_used, reason = "whoever waits gets an answer")]
        self.run(request, false).expect("an answer")
    }

    /// Sends a request whose client leaves as soon as the plugin waits. Says whether it did.
    pub(super) fn abandon(&self, request: Request) -> bool {
        self.run(request, true).is_none()
    }

    /// Lets time pass, second by second, so that ticks come one by one.
    pub(super) fn pass(&self, duration: Duration) {
        let end = self.world.clock.now() + duration;
        while self.world.clock.now() < end {
            let now = self.world.clock.now();
            match self.world.clock.next(end.min(now + Duration::from_secs(1))) {
                Some(next) => self.bring(now, next),
                None => self.advance(now),
            }
        }
    }

    pub(super) fn metric(&self, name: &str) -> Option<u64> {
        self.link.say(&Ask::Metrics);
        let metrics = self.until(|tell| match tell {
            Tell::Metrics(metrics) => Ok(metrics),
            other => Err(other),
        });
        metrics.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    fn start(&self) -> Result<(), Refused> {
        let world = &self.world;
        let consumers = world.consumers.borrow();
        let services = world.services.borrow();
        let scripted = world.functions.borrow().keys().copied().collect::<Vec<_>>();
        let start = Start {
            plugin: self.plugin.to_owned(),
            config: self.config.clone(),
            consumers: consumers.iter().map(Consumer::entity).collect(),
            services: services.keys().filter(|name| !name.is_empty()).cloned().collect(),
            functions: scripted.into_iter().chain(ON_THE_CLOCK).map(str::to_owned).collect(),
        };
        drop((consumers, services));
        self.link.say(&Ask::Start(start));
        self.until(|tell| match tell {
            Tell::Started(started) => Ok(started),
            other => Err(other),
        })
    }

    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn run(&self, request: Request, leaves: bool) -> Option<Answer> {
        if !self.ready.replace(true)
            && let Err(refused) = self.start()
        {
            panic!("the configuration was fine before consumers and functions came: {refused:?}");
        }
        *self.world.client.borrow_mut() = Some(request.client_ip.clone());
        self.link.say(&Ask::Send(wire::Request {
            method: request.method,
            target: request.target,
            client_ip: request.client_ip,
            fields: request.fields.pairs(),
            pieces: request.pieces,
        }));
        let mut seen = Seen::default();
        let ended = self.ended(&mut seen, leaves);
        if self.trapped.take() {
            let lines = self.world.lines.borrow();
            let said = lines.iter().rev().find(|(level, _)| *level == Level::Error);
            panic!("the plugin ended in a trap: {}", said.map_or("", |(_, text)| text));
        }
        let wire::Response { status, fields, pieces } = ended?;
        let body = pieces.concat();
        Some(Answer {
            status,
            fields: Fields::of(fields),
            body,
            upstream: seen.upstream,
            callouts: seen.callouts,
        })
    }

    /// Does what is asked until the request is over.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn ended(&self, seen: &mut Seen, leaves: bool) -> Option<wire::Response> {
        loop {
            let now = self.world.clock.now();
            if let Some(next) = self.world.clock.next(now) {
                self.bring(now, next);
                continue;
            }
            let patience = if leaves || self.world.clock.expects() { QUIET } else { PATIENCE };
            match self.link.next(patience) {
                Ok(Tell::Answered(answer)) => return answer,
                Ok(tell) => self.heed(tell, seen),
                Err(RecvTimeoutError::Timeout) if leaves => self.link.say(&Ask::Leave),
                Err(RecvTimeoutError::Timeout) if self.world.clock.expects() => {
                    if let Some(next) = self.world.clock.next(Duration::MAX) {
                        self.bring(now, next);
                    }
                }
                Err(error) => panic!("{}: no answer of the testbed: {error}", self.plugin),
            }
        }
    }

    fn heed(&self, tell: Tell, seen: &mut Seen) {
        match tell {
            Tell::Asked(id, service, request) => self.asked(id, service, *request, seen),
            Tell::Called(id, name, arguments) => {
                let result = functions::call(&self.world, &name, &arguments);
                self.link.say(&Ask::Return(id, result.map_err(|status| status.0)));
            }
            Tell::Line(level, text) => self.world.lines.borrow_mut().push((level_of(level), text)),
            Tell::Trapped => self.trapped.set(true),
            Tell::Started(_) | Tell::Answered(_) | Tell::Passed | Tell::Metrics(_) => {}
        }
    }

    /// A service is asked: its answer is due when it is due.
    fn asked(&self, id: u64, service: String, request: wire::Request, seen: &mut Seen) {
        let wire::Request { method, target, fields, pieces, .. } = request;
        let received = Received { method, target, fields: Fields::of(fields), body: pieces.concat() };
        let response = self.world.ask(&service, &received);
        let response = response.unwrap_or_else(|| Response::new(200));
        match service.is_empty() {
            true => seen.upstream = Some(received),
            false => seen.callouts.push((service, received)),
        }
        let token = u32::try_from(id).unwrap_or(u32::MAX);
        let (delay, fails) = (response.after, response.fails());
        self.world.clock.later(delay, token, What::Called((!fails).then_some(response)));
    }

    /// Something is due; `before` was the time until then.
    fn bring(&self, before: Duration, next: Next) {
        self.advance(before);
        let Next::Event(Event { token, what, .. }) = next else { return };
        self.link.say(&match what {
            What::Foreign(bytes) => Ask::Late(token, bytes),
            What::Called(response) => {
                let response = response.map(|response| wire::Response {
                    status: response.status,
                    fields: response.fields.pairs(),
                    pieces: response.pieces,
                });
                Ask::Answer(token.into(), response)
            }
        });
    }

    /// The gateway's timers follow the test's clock.
    fn advance(&self, before: Duration) {
        let passed = self.world.clock.now().saturating_sub(before);
        if passed.is_zero() {
            return;
        }
        self.link.say(&Ask::Pass(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)));
        self.until(|tell| match tell {
            Tell::Passed => Ok(()),
            other => Err(other),
        });
    }

    /// Waits for what was asked for; what a request needs is put aside until its turn.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn until<T>(&self, is_it: impl Fn(Tell) -> Result<T, Tell>) -> T {
        loop {
            let tell = self.link.tells(PATIENCE);
            match is_it(tell.unwrap_or_else(|error| panic!("no answer of the testbed: {error}"))) {
                Ok(it) => return it,
                // The plugin stands still until it is answered.
                Err(tell @ (Tell::Called(..) | Tell::Line(..))) => self.heed(tell, &mut Seen::default()),
                Err(other) => self.link.put_aside(other),
            }
        }
    }
}

const fn level_of(level: u8) -> Level {
    match level {
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        _ => Level::Error,
    }
}
