//! A plugin compiled into the test, called as the gateway calls it.

use std::{collections::VecDeque, rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{
    answer::Answer,
    clock::{Event, Next, What},
    exchange::{Exchange, REQUEST_ID, Reply},
    fields::Fields,
    guest::Guest,
    request::{Received, Request},
    world::{World, number},
};
use crate::{
    host::{self, Level, Side},
    manifest::Manifest,
    scene::Action,
};

/// A plugin with its configuration.
pub(super) struct Native {
    world: Rc<World>,
    guest: Box<dyn Guest>,
    manifest: Manifest,
    root: u32,
}

/// Why a message does not go on.
enum Stop {
    Reply(Reply),
    /// The client has gone.
    Left,
}

/// What becomes of a request whose plugin waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Waits,
    Leaves,
}

/// A message that goes through the plugin.
struct Way {
    context: u32,
    side: Side,
    client: Client,
    pieces: VecDeque<Vec<u8>>,
}

impl Native {
    /// Configures a plugin.
    pub(super) fn new(
        world: Rc<World>,
        guest: Box<dyn Guest>,
        manifest: Manifest,
        config: &Value,
    ) -> Result<Self, String> {
        let native = Self { world, guest, manifest, root: number() };
        let text = config.to_string().into_bytes();
        let size = text.len();
        native.world.hand.borrow_mut().configuration = text;
        let taken = native.enter(native.root, |guest| {
            guest.context_create(native.root, 0);
            guest.configure(native.root, size)
        });
        let lines = native.world.lines.borrow();
        let said = lines.iter().rev().find(|(level, _)| *level == Level::Error);
        if taken {
            Ok(())
        } else {
            Err(said.map_or_else(String::new, |(_, text)| format!("config: {text}")))
        }?;
        drop(lines);
        Ok(native)
    }

    /// Sends a request through the plugin.
    pub(super) fn send(&self, request: Request) -> Answer {
        #[expect(clippy::expect_used, reason = "whoever waits gets an answer")]
        self.run(request, Client::Waits).expect("an answer")
    }

    /// Sends a request whose client leaves as soon as the plugin waits. Says whether it did.
    pub(super) fn abandon(&self, request: Request) -> bool {
        self.run(request, Client::Leaves).is_none()
    }

    /// Lets time pass.
    pub(super) fn pass(&self, duration: Duration) {
        let end = self.world.clock.now() + duration;
        while let Some(next) = self.world.clock.next(end) {
            self.bring(next);
        }
    }

    fn run(&self, mut request: Request, client: Client) -> Option<Answer> {
        let context = number();
        let pieces = std::mem::take(&mut request.pieces).into();
        self.world.exchanges.borrow_mut().insert(context, Exchange::new(request));
        self.enter(context, |guest| guest.context_create(context, self.root));
        let up = Way { context, side: Side::Request, client, pieces };
        let (answer, upstream) = match self.up(up) {
            Ok(received) => (Some(self.forward(&received)), Some(received)),
            Err(Stop::Reply(reply)) => (Some((reply, VecDeque::new())), None),
            Err(Stop::Left) => (None, None),
        };
        let answer = answer.and_then(|(reply, pieces)| self.down(context, client, reply, pieces));
        self.end(context);
        let exchange = self.world.exchanges.borrow_mut().remove(&context)?;
        let (Reply { status, fields, body }, callouts) = (answer?, exchange.callouts);
        Some(Answer { status, fields, body, upstream, callouts })
    }

    /// The way up: what the upstream gets.
    fn up(&self, mut way: Way) -> Result<Received, Stop> {
        if self.has("request") {
            let end = way.pieces.is_empty();
            let action = self.enter(way.context, |guest| guest.request_headers(way.context, end));
            self.settle(&mut way, action)?;
        }
        // What was read while the head was held has been seen.
        let mut body = self.release(way.context);
        while let Some(piece) = way.pieces.pop_front() {
            body.extend(self.piece(&mut way, piece)?);
        }
        Ok(self.exchange(way.context, |exchange| exchange.received(body)))
    }

    /// The way down: what the client gets; nothing where it has left.
    fn down(
        &self,
        context: u32,
        client: Client,
        reply: Reply,
        mut pieces: VecDeque<Vec<u8>>,
    ) -> Option<Reply> {
        // What the plugin held of the request when it answered is no part of the answer.
        drop(self.release(context));
        if !reply.body.is_empty() {
            pieces.push_back(reply.body);
        }
        let mut fields = reply.fields;
        let deferred = self.exchange(context, |exchange| std::mem::take(&mut exchange.deferred));
        deferred.iter().for_each(|(name, value)| fields.write(name, value));
        self.exchange(context, |exchange| exchange.response = Some((reply.status, fields)));
        let mut way = Way { context, side: Side::Response, client, pieces };
        match self.answer(&mut way) {
            Ok(body) => {
                let (status, fields) = self.exchange(context, |exchange| exchange.response.clone())?;
                Some(Reply { status, fields, body })
            }
            Err(Stop::Reply(reply)) => {
                let answered = (reply.status, reply.fields.clone());
                self.exchange(context, |exchange| exchange.response = Some(answered));
                Some(reply)
            }
            Err(Stop::Left) => None,
        }
    }

    fn answer(&self, way: &mut Way) -> Result<Vec<u8>, Stop> {
        if self.has("response") {
            let end = way.pieces.is_empty();
            let action = self.enter(way.context, |guest| guest.response_headers(way.context, end));
            self.settle(way, action)?;
        }
        let mut body = Vec::new();
        while let Some(piece) = way.pieces.pop_front() {
            match self.piece(way, piece) {
                Ok(bytes) => body.extend(bytes),
                #[expect(clippy::panic, reason = "a test fails by panicking")]
                Err(Stop::Reply(_)) => {
                    panic!("{} answers when the answer is on its way", self.manifest.name)
                }
                Err(left) => return Err(left),
            }
        }
        Ok(body)
    }

    /// Shows a piece of a body to the plugin: what it lets go.
    fn piece(&self, way: &mut Way, piece: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.exchange(way.context, |exchange| exchange.body.extend(piece));
        let end = way.pieces.is_empty();
        if let Some(action) = self.show(way, end) {
            match action {
                Action::Continue => self.judge(way.context)?,
                Action::Pause if end => self.settle(way, action)?,
                Action::Pause => {
                    self.judge(way.context)?;
                    return Ok(Vec::new());
                }
            }
        }
        Ok(self.release(way.context))
    }

    /// Calls the body's callback, where the plugin has one.
    fn show(&self, way: &Way, end: bool) -> Option<Action> {
        let (context, size) = (way.context, self.exchange(way.context, |exchange| exchange.body.len()));
        match way.side {
            Side::Request if self.has("request_body") || self.manifest.reads_body => {
                Some(self.enter(context, |guest| guest.request_body(context, size, end)))
            }
            Side::Response if self.has("response_body") => {
                Some(self.enter(context, |guest| guest.response_body(context, size, end)))
            }
            _ => None,
        }
    }

    /// Waits until the plugin lets a message go.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    fn settle(&self, way: &mut Way, action: Action) -> Result<(), Stop> {
        loop {
            self.judge(way.context)?;
            if action == Action::Continue
                || self.exchange(way.context, |exchange| std::mem::take(&mut exchange.resumed))
            {
                return Ok(());
            }
            if let Some(next) = self.world.clock.next(self.world.clock.now()) {
                self.bring(next);
                continue;
            }
            if way.client == Client::Leaves {
                return Err(Stop::Left);
            }
            let reads = way.side == Side::Request && self.manifest.reads_body;
            if let Some(piece) = reads.then(|| way.pieces.pop_front()).flatten() {
                self.exchange(way.context, |exchange| exchange.body.extend(piece));
                self.show(way, way.pieces.is_empty());
                continue;
            }
            match self.world.clock.expects().then(|| self.world.clock.next(Duration::MAX)).flatten() {
                Some(next) => self.bring(next),
                None => {
                    panic!("{} holds a message, and nothing that it waits for will come", self.manifest.name)
                }
            }
        }
    }

    /// Whether the plugin has answered.
    fn judge(&self, context: u32) -> Result<(), Stop> {
        self.exchange(context, |exchange| exchange.reply.take())
            .map_or(Ok(()), |reply| Err(Stop::Reply(reply)))
    }

    /// What is due is brought to the plugin.
    fn bring(&self, next: Next) {
        let Next::Event(Event { token, what, .. }) = next else {
            if self.has("tick") {
                self.enter(self.root, |guest| guest.tick(self.root));
            }
            return;
        };
        match what {
            What::Called(answer) => {
                let fields = answer.as_ref().map_or(0, |answer| answer.fields.iter().count() + 1);
                let size = answer.as_ref().map_or(0, |answer| answer.pieces.iter().map(Vec::len).sum());
                self.world.hand.borrow_mut().called = answer;
                let fields = u32::try_from(fields).unwrap_or(u32::MAX);
                self.enter(self.root, |guest| guest.called(token, fields, size));
                self.world.hand.borrow_mut().called = None;
            }
            What::Foreign(answer) => {
                let size = answer.len();
                self.world.hand.borrow_mut().arguments = answer;
                self.enter(self.root, |guest| guest.foreign(token, size));
            }
        }
    }

    /// Asks the upstream.
    fn forward(&self, received: &Received) -> (Reply, VecDeque<Vec<u8>>) {
        let Some(response) = self.world.ask("", received) else {
            return (Reply { status: 200, fields: Fields::default(), body: Vec::new() }, VecDeque::new());
        };
        self.pass(response.after);
        if response.fails() {
            let message = "An invalid response was received from the upstream server";
            let body = json!({ "message": message, "request_id": REQUEST_ID }).to_string().into_bytes();
            let mut fields = Fields::default();
            fields.add("content-type", "application/json; charset=utf-8");
            return (Reply { status: 502, fields, body }, VecDeque::new());
        }
        let reply = Reply { status: response.status, fields: response.fields, body: Vec::new() };
        (reply, response.pieces.into())
    }

    /// The request is over.
    fn end(&self, context: u32) {
        self.enter(context, |guest| {
            if self.has("log") {
                guest.log(context);
            }
            guest.delete(context);
        });
    }

    fn release(&self, context: u32) -> Vec<u8> {
        self.exchange(context, |exchange| std::mem::take(&mut exchange.body))
    }

    fn has(&self, phase: &str) -> bool {
        self.manifest.phases.contains(&phase)
    }

    #[expect(clippy::expect_used, reason = "it is there until the request is over")]
    fn exchange<R>(&self, context: u32, read: impl FnOnce(&mut Exchange) -> R) -> R {
        read(self.world.exchanges.borrow_mut().get_mut(&context).expect("a request under way"))
    }

    /// Calls the plugin, for a context.
    fn enter<R>(&self, context: u32, call: impl FnOnce(&dyn Guest) -> R) -> R {
        self.world.root.set(self.root);
        self.world.effective.set(context);
        host::enter(Rc::clone(&self.world) as Rc<dyn host::Host>, || call(&*self.guest))
    }
}
