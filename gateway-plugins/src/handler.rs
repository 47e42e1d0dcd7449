//! A plugin in the gateway's chain: requests in, callbacks out.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use gateway_core::{
    Body,
    plugin::{Exchange, Flow, Handler},
};
use http::{Request, Response};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    abi::Side,
    bound::Bound,
    conclusion::{done, refuse, write},
    effects::Effects,
    entry::{Head, Trap, Verdict, ends},
    event::Event,
    filter,
    held::Held,
    instance::Instance,
    ticket::{Ticket, Tickets},
    waiting::Waiting,
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
    pub(crate) fn begin<M: Head>(
        self: &Arc<Self>,
        message: &mut M,
        exchange: &mut Exchange,
        tries: u32,
    ) -> Flow<M> {
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
        let runtime = &self.pool.runtime;
        let notes = runtime.notes.then(|| Tickets::notes(exchange).of(runtime.identifies));
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
    pub(crate) fn affect<M: Head>(&self, instance: &mut Instance, message: &mut M, exchange: &mut Exchange) {
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

    pub(crate) fn judged<M: Head>(
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

    /// The plugin cannot do its part: the error policy says what becomes of the request.
    pub(crate) fn fail<M>(&self, exchange: &mut Exchange) -> Flow<M> {
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

/// What a guest made of a head.
enum Seen {
    Judged(Verdict),
    Held {
        events: UnboundedReceiver<Event>,
        /// The guest changed the request already.
        changed: bool,
    },
}
