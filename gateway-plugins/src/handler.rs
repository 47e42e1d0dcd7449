//! A plugin in the gateway's chain: requests in, callbacks out.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use gateway_core::{
    Body, Reason,
    plugin::{Exchange, Flow, Handler},
    reply::message_reply,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header::SET_COOKIE};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    abi::Side,
    bound::Bound,
    call::Effects,
    entry::{Head, Trap, Verdict, ends},
    filter::{self, Rest},
    held::{self, Broken, Held, News},
    instance::Instance,
    stream::Event,
    ticket::{Ticket, Tickets},
    worker::{Turn, Worker},
};

/// A configured plugin.
pub(crate) struct WasmHandler(pub(crate) Arc<Bound>);

/// How often a request may begin: once, and once more after an instance that was under construction or that another
/// request ended.
const TRIES: u32 = 3;

impl Handler for WasmHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        if self.0.pool.runtime.uses.begins_later() {
            return Flow::Continue;
        }
        self.0.begin(request, exchange, TRIES)
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        let (fields, ticket) = Tickets::on_response(exchange, self.0.config.id());
        write(response, fields);
        match ticket {
            Some(ticket) => self.0.go_on(ticket, response, exchange),
            None => self.0.begin_late(response, exchange),
        }
    }

    fn wants_captures(&self) -> bool {
        self.0.pool.runtime.uses.captures
    }

    fn on_log(&self, exchange: &Exchange) {
        let uses = self.0.pool.runtime.uses;
        // A guest with a mailbox is told of nothing but the log now; of the end of what it keeps, when the exchange goes.
        if uses.mailbox && !uses.log {
            return;
        }
        if let Some(ticket) = Tickets::find(exchange, self.0.config.id()) {
            ticket.end(Some(exchange));
        }
    }
}

impl Bound {
    /// A message is the first that this configuration sees of an exchange.
    fn begin<M: Head>(self: &Arc<Self>, message: &mut M, exchange: &mut Exchange, tries: u32) -> Flow<M> {
        let Some(place) = self.pool.place(exchange, &self.config) else {
            self.pool.runtime.counts.no_room.fetch_add(1, Relaxed);
            return self.fail(exchange);
        };
        self.begin_on(&place, message, exchange, tries)
    }

    fn begin_on<M: Head>(
        self: &Arc<Self>,
        worker: &Arc<Worker>,
        message: &mut M,
        exchange: &mut Exchange,
        tries: u32,
    ) -> Flow<M> {
        let lease = match worker.turn(&self.config) {
            Turn::Now(lease) => lease,
            Turn::Later(mut built) if tries > 0 => {
                let (bound, worker) = (Arc::clone(self), Arc::clone(worker));
                return Flow::wait(
                    // It ends with whoever builds, and says nothing before.
                    async move { drop(built.changed().await) },
                    move |(), message, exchange| bound.begin_on(&worker, message, exchange, tries - 1),
                );
            }
            Turn::Later(_) | Turn::Never => return self.fail(exchange),
        };
        let notes = self.pool.runtime.notes.then(|| Tickets::notes(exchange));
        let life = lease.life;
        let started = lease
            .root(&self.config)
            .and_then(|(lease, root)| lease.enter_with(|instance| instance.add_stream(root, notes)));
        let Some((lease, Some(stream))) = started else { return self.fail(exchange) };
        let seen = lease.enter(|instance| {
            let seen = self.see(instance, stream, message, exchange)?;
            let over = matches!(seen, Seen::Judged(_)) && instance.lets_go(stream, M::SIDE);
            Ok((seen, over))
        });
        let seen = match seen {
            // The guest has seen all that it wants to see: nothing is noted of the request.
            Some((Seen::Judged(verdict), true)) => return done(verdict, exchange),
            seen => seen.map(|(seen, _)| seen),
        };
        let ticket = Ticket::new(self, worker, life, stream);
        Tickets::put(exchange, Arc::clone(&ticket));
        self.settle(ticket, seen, message, exchange, tries)
    }

    /// An answer is the first that this configuration sees of an exchange.
    fn begin_late(
        self: &Arc<Self>,
        response: &mut Response<Body>,
        exchange: &mut Exchange,
    ) -> Flow<Response<Body>> {
        let uses = self.pool.runtime.uses;
        match uses.heads {
            [_, false] if !uses.bodies[Side::Response as usize] && !uses.log => Flow::Continue,
            [false, _] => self.begin(response, exchange, TRIES),
            // A plugin before this one answered: it sees the answer all the same, if it is at hand.
            [true, _] => match self.pool.place(exchange, &self.config) {
                Some(place) if matches!(place.turn(&self.config), Turn::Now(_)) => {
                    self.begin_on(&place, response, exchange, 0)
                }
                _ => Flow::Continue,
            },
        }
    }

    /// A message follows one that this configuration has seen.
    fn go_on<M: Head>(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        let Some(lease) = ticket.worker.lease(ticket.life) else {
            // Another request ended the instance: this one has been judged, and goes on without what is left.
            self.pool.runtime.counts.skipped.fetch_add(1, Relaxed);
            return Flow::Continue;
        };
        let seen = lease.enter(|instance| self.see(instance, ticket.stream, message, exchange));
        self.settle(ticket, seen, message, exchange, 0)
    }

    /// Shows a head to the guest, and arranges to be told where it is held.
    fn see<M: Head>(
        &self,
        instance: &mut Instance,
        id: u32,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Result<Seen, Trap> {
        let verdict = instance.head(id, message, exchange)?;
        self.affect(instance, message, exchange);
        Ok(match (verdict, instance.host().streams.get_mut(id)) {
            (Verdict::Pause, Some(stream)) => {
                Seen::Held { events: stream.wait(M::SIDE), changed: stream.changed }
            }
            (verdict, _) => Seen::Judged(verdict),
        })
    }

    /// Does what foreign functions want of the exchange.
    fn affect<M: Head>(&self, instance: &mut Instance, message: &mut M, exchange: &mut Exchange) {
        let effects = &mut instance.host().message.effects;
        if effects.is_empty() {
            return;
        }
        let Effects { identity, headers, .. } = std::mem::take(effects);
        identity.iter().for_each(|identity| exchange.identify(identity));
        match M::SIDE {
            Side::Request if headers.is_empty() => {}
            Side::Request => Tickets::defer(exchange, self.config.id(), headers),
            Side::Response => write(message, headers),
        }
    }

    /// Does what the guest wants; none where it trapped.
    fn settle<M: Head>(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        seen: Option<Seen>,
        message: &mut M,
        exchange: &mut Exchange,
        tries: u32,
    ) -> Flow<M> {
        match seen {
            None => self.fail(exchange),
            Some(Seen::Judged(verdict)) => self.judged(ticket, verdict, message, exchange),
            Some(Seen::Held { events, changed }) => {
                let tries = if changed { 0 } else { tries };
                let body = self.reads_body(message).then(|| Held::new(std::mem::take(message.body_mut())));
                self.hold(Waiting { ticket, events, body, tries })
            }
        }
    }

    fn judged<M: Head>(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        verdict: Verdict,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        if let Verdict::Continue | Verdict::Pause = verdict {
            filter::attach(ticket, message, exchange);
        }
        done(verdict, exchange)
    }

    /// Holds a message until something happens to its stream.
    fn hold<M: Head>(self: &Arc<Self>, mut waiting: Waiting) -> Flow<M> {
        let bound = Arc::clone(self);
        let most = self.pool.runtime.limits.body;
        Flow::wait(
            async move { (held::next(&mut waiting.events, waiting.body.as_mut(), most).await, waiting) },
            move |(news, waiting), message, exchange| match news {
                News::Event(Some(event)) => bound.happened(Some(event), waiting, message, exchange),
                News::Event(None) => bound.begin_again(waiting, message, exchange),
                News::Body => bound.happened(None, waiting, message, exchange),
                News::Broken(Broken::TooLarge) => refuse(StatusCode::PAYLOAD_TOO_LARGE, exchange),
                News::Broken(Broken::Unreadable) => refuse(StatusCode::BAD_REQUEST, exchange),
            },
        )
    }

    /// Something happened to a message that is held; none where more of its body has come.
    fn happened<M: Head>(
        self: &Arc<Self>,
        event: Option<Event>,
        mut waiting: Waiting,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        let ticket = Arc::clone(&waiting.ticket);
        let stream = ticket.stream;
        let Some(lease) = ticket.worker.lease(ticket.life) else {
            return self.begin_again(waiting, message, exchange);
        };
        let verdict = lease.enter(|instance| {
            let verdict = match (&mut waiting.body, event) {
                (Some(held), event) => instance.held(stream, (&mut *message, exchange), held, event)?,
                (None, Some(event)) => instance.event(stream, event, message, exchange)?,
                (None, None) => Verdict::Pause,
            };
            self.affect(instance, message, exchange);
            if !matches!(verdict, Verdict::Pause)
                && let Some(stream) = instance.host().streams.get_mut(stream)
            {
                stream.go_on(M::SIDE);
            }
            Ok(verdict)
        });
        match (verdict, waiting.body.take()) {
            (Some(Verdict::Pause), body) => self.hold(Waiting { body, ..waiting }),
            (Some(Verdict::Continue), Some(held)) => {
                filter::put_back(&ticket, message, exchange, held, Rest::Filtered);
                Flow::Continue
            }
            (Some(Verdict::Skip), Some(held)) => {
                filter::put_back(&ticket, message, exchange, held, Rest::Passes);
                Flow::Continue
            }
            (Some(verdict), _) => self.judged(Arc::clone(&ticket), verdict, message, exchange),
            (None, held) => {
                held.into_iter()
                    .for_each(|held| filter::put_back(&ticket, message, exchange, held, Rest::Passes));
                self.fail(exchange)
            }
        }
    }

    /// Another request ended the instance in which this one waited. A request whose head the guest had not changed
    /// yet begins once more in the next instance.
    fn begin_again<M: Head>(
        self: &Arc<Self>,
        waiting: Waiting,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        if let Some(held) = waiting.body {
            // What was read comes first, as if it had just come.
            filter::put_back(&waiting.ticket, message, exchange, held, Rest::Passes);
        }
        if waiting.tries == 0 {
            return self.fail(exchange);
        }
        self.pool.runtime.counts.restarted.fetch_add(1, Relaxed);
        self.begin(message, exchange, waiting.tries - 1)
    }

    /// The plugin cannot do its part: the error policy says what becomes of the request.
    fn fail<M>(&self, exchange: &mut Exchange) -> Flow<M> {
        self.pool.runtime.counts.failed.fetch_add(1, Relaxed);
        match self.config.grants.on_error.status() {
            Some(status) => refuse(status, exchange),
            None => Flow::Continue,
        }
    }

    /// Whether the guest reads the body of a message while it holds the head: only on the way up, and only where the
    /// configuration says so.
    fn reads_body<M: Head>(&self, message: &mut M) -> bool {
        self.config.grants.body_while_held
            && M::SIDE == Side::Request
            && self.pool.runtime.uses.reads_body
            && !ends(message)
    }
}

/// A message that is held.
struct Waiting {
    ticket: Arc<Ticket>,
    events: UnboundedReceiver<Event>,
    /// The body, where the guest reads it meanwhile.
    body: Option<Held>,
    /// How often the request may begin again.
    tries: u32,
}

/// What a guest made of a head.
enum Seen {
    Judged(Verdict),
    Held {
        events: UnboundedReceiver<Event>,
        /// The guest changed the request already.
        changed: bool,
    },
}

/// What becomes of a message that is held no longer.
fn done<M>(verdict: Verdict, exchange: &mut Exchange) -> Flow<M> {
    match verdict {
        Verdict::Continue | Verdict::Skip | Verdict::Pause => Flow::Continue,
        Verdict::Reply(response) => Flow::Reply(response),
        Verdict::Close => refuse(StatusCode::SERVICE_UNAVAILABLE, exchange),
    }
}

/// Writes fields, each in place of all of its name.
fn write(message: &mut impl Head, fields: Vec<(HeaderName, HeaderValue)>) {
    if fields.is_empty() {
        return;
    }
    let headers = message.headers_mut();
    // In one step. Where it is too much the field that is too many finds that out.
    let _ = headers.try_reserve(fields.len());
    for (name, value) in fields {
        match name {
            SET_COOKIE => drop(headers.append(name, value)),
            _ => drop(headers.insert(name, value)),
        }
    }
}

/// Answers in place of a plugin that cannot.
fn refuse<M>(status: StatusCode, exchange: &mut Exchange) -> Flow<M> {
    exchange.reason = Some(Reason::Plugin);
    Flow::reply(message_reply(status, "An unexpected error occurred", exchange.asked, exchange.request_id))
}
