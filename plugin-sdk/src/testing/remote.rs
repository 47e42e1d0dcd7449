//! A built plugin in a testbed: the real gateway in another process, asked over a socket of this machine.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    env,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    rc::Rc,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use plugin_contract::{
    Call as _, counter, kv,
    ratelimit::{Check, Limiter},
    time::Sleep,
};
use serde_json::{Map, Value, json};

use super::{
    Response,
    answer::Answer,
    clock::{Event, Next, What},
    consumers::{self, Consumer},
    fields::Fields,
    functions,
    request::{Received, Request},
    wire::{self, Ask, Refused, Start, Tell},
    world::World,
};
use crate::host::Level;

/// Where the testbed listens.
const TESTBED: &str = "PLUGIN_TESTBED";
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
    socket: RefCell<TcpStream>,
    told: Receiver<Tell>,
    /// Whether the gateway there knows what the test has scripted.
    ready: Cell<bool>,
    trapped: Cell<bool>,
    /// What came while something else was waited for.
    aside: RefCell<VecDeque<Tell>>,
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
        #[expect(clippy::panic, reason = "a test fails by panicking")]
        let socket = TcpStream::connect(&address)
            .unwrap_or_else(|error| panic!("no testbed at {address}, see {TESTBED}: {error}"));
        let told = listen(&socket);
        let remote = Self {
            world: Rc::clone(world),
            plugin,
            config: config.clone(),
            socket: RefCell::new(socket),
            told,
            ready: Cell::new(false),
            trapped: Cell::new(false),
            aside: RefCell::default(),
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
        self.say(&Ask::Metrics);
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
            consumers: consumers.iter().map(entity).collect(),
            services: services.keys().filter(|name| !name.is_empty()).cloned().collect(),
            functions: scripted.into_iter().chain(ON_THE_CLOCK).map(str::to_owned).collect(),
        };
        drop((consumers, services));
        self.say(&Ask::Start(start));
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
        self.say(&Ask::Send(wire::Request {
            method: request.method,
            target: request.target,
            client_ip: request.client_ip,
            fields: pairs(&request.fields),
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
        Some(Answer { status, fields: of(fields), body, upstream: seen.upstream, callouts: seen.callouts })
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
            match self.next(patience) {
                Ok(Tell::Answered(answer)) => return answer,
                Ok(tell) => self.heed(tell, seen),
                Err(RecvTimeoutError::Timeout) if leaves => self.say(&Ask::Leave),
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
                self.say(&Ask::Return(id, result.map_err(|status| status.0)));
            }
            Tell::Line(level, text) => self.world.lines.borrow_mut().push((level_of(level), text)),
            Tell::Trapped => self.trapped.set(true),
            Tell::Started(_) | Tell::Answered(_) | Tell::Passed | Tell::Metrics(_) => {}
        }
    }

    /// A service is asked: its answer is due when it is due.
    fn asked(&self, id: u64, service: String, request: wire::Request, seen: &mut Seen) {
        let wire::Request { method, target, fields, pieces, .. } = request;
        let received = Received { method, target, fields: of(fields), body: pieces.concat() };
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
        self.say(&match what {
            What::Foreign(bytes) => Ask::Late(token, bytes),
            What::Called(response) => {
                let response = response.map(|response| wire::Response {
                    status: response.status,
                    fields: pairs(&response.fields),
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
        self.say(&Ask::Pass(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)));
        self.until(|tell| match tell {
            Tell::Passed => Ok(()),
            other => Err(other),
        });
    }

    /// Waits for what was asked for; what a request needs is put aside until its turn.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn until<T>(&self, is_it: impl Fn(Tell) -> Result<T, Tell>) -> T {
        loop {
            let tell = self.told.recv_timeout(PATIENCE);
            match is_it(tell.unwrap_or_else(|error| panic!("no answer of the testbed: {error}"))) {
                Ok(it) => return it,
                // The plugin stands still until it is answered.
                Err(tell @ (Tell::Called(..) | Tell::Line(..))) => self.heed(tell, &mut Seen::default()),
                Err(other) => self.aside.borrow_mut().push_back(other),
            }
        }
    }

    /// What comes next, or what was put aside.
    fn next(&self, patience: Duration) -> Result<Tell, RecvTimeoutError> {
        let aside = self.aside.borrow_mut().pop_front();
        aside.map_or_else(|| self.told.recv_timeout(patience), Ok)
    }

    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn say(&self, ask: &Ask) {
        let mut line = serde_json::to_string(ask).unwrap_or_default();
        line.push('\n');
        let said = self.socket.borrow_mut().write_all(line.as_bytes());
        said.unwrap_or_else(|error| panic!("the testbed has gone: {error}"));
    }
}

/// What the testbed says, line by line.
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn listen(socket: &TcpStream) -> Receiver<Tell> {
    let (sender, told) = channel();
    let socket = socket.try_clone().unwrap_or_else(|error| panic!("the testbed's socket: {error}"));
    thread::spawn(move || {
        for line in BufReader::new(socket).lines() {
            let Ok(tell) = line.map_err(drop).and_then(|line| serde_json::from_str(&line).map_err(drop))
            else {
                return;
            };
            if sender.send(tell).is_err() {
                return;
            }
        }
    });
    told
}

/// A consumer as a configuration file has it.
fn entity(consumer: &Consumer) -> Value {
    let mut entity = Map::new();
    entity.insert("id".to_owned(), consumers::text(consumer.id).into());
    entity.insert("username".to_owned(), consumer.username.as_str().into());
    if let Some(id) = &consumer.custom_id {
        entity.insert("custom_id".to_owned(), id.as_str().into());
    }
    let groups = consumer.groups.iter().map(|group| json!({ "group": group }));
    entity.insert("acls".to_owned(), groups.collect());
    for credential in &consumer.credentials {
        let mut fields = credential.fields.clone();
        fields.insert("id".to_owned(), consumers::text(credential.id).into());
        let list = entity.entry(consumers::list(credential.kind)).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(fields.into());
        }
    }
    entity.into()
}

fn pairs(fields: &Fields) -> wire::Fields {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn of(pairs: wire::Fields) -> Fields {
    let mut fields = Fields::default();
    pairs.into_iter().for_each(|(name, value)| fields.add(&name, &value));
    fields
}

const fn level_of(level: u8) -> Level {
    match level {
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        _ => Level::Error,
    }
}
