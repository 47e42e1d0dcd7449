//! A request's contexts, noted in the exchange.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gateway_core::plugin::Exchange;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::{bound::Bound, notes::Notes, worker::Worker};

/// A request's context in one instance. It is ended with the last copy, if not before.
pub(crate) struct Ticket {
    /// The configuration; its root stays as long as the request.
    pub(crate) bound: Arc<Bound>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) life: u64,
    pub(crate) stream: u32,
    ended: AtomicBool,
}

impl Ticket {
    pub(crate) fn new(bound: &Arc<Bound>, worker: &Arc<Worker>, life: u64, stream: u32) -> Arc<Self> {
        let (bound, worker) = (Arc::clone(bound), Arc::clone(worker));
        Arc::new(Self { bound, worker, life, stream, ended: AtomicBool::new(false) })
    }

    /// The request is over.
    pub(crate) fn end(&self, exchange: Option<&Exchange>) {
        if !self.ended.swap(true, Relaxed) {
            self.worker.finish(self.life, self.stream, exchange);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// The contexts of a request in all its plugins.
#[derive(Clone, Default)]
pub(crate) struct Tickets {
    held: SmallVec<[Arc<Ticket>; 4]>,
    /// None before a plugin asks for them.
    notes: Option<Notes>,
    /// Fields of the answer that is yet to come, by configuration.
    deferred: SmallVec<[(u64, Fields); 1]>,
}

/// Fields that are kept for one answer by one configuration.
const MOST: usize = 1_024;

/// Header fields.
type Fields = Vec<(HeaderName, HeaderValue)>;

impl Tickets {
    /// The properties that guests of this request share.
    pub(crate) fn notes(exchange: &mut Exchange) -> Notes {
        exchange.extensions.get_or_insert_default::<Self>().notes.get_or_insert_default().clone()
    }

    /// Keeps fields for the answer, until the configuration's turn comes.
    pub(crate) fn defer(exchange: &mut Exchange, config: u64, fields: Fields) {
        let deferred = &mut exchange.extensions.get_or_insert_default::<Self>().deferred;
        match deferred.iter_mut().find(|(of, _)| *of == config) {
            // What many callbacks of one request want goes no further than what one may want of a message.
            Some((_, held)) => held.extend(fields.into_iter().take(MOST.saturating_sub(held.len()))),
            None => deferred.push((config, fields)),
        }
    }

    /// The fields that a configuration has kept for the answer, and its context.
    pub(crate) fn on_response(exchange: &mut Exchange, config: u64) -> (Fields, Option<Arc<Ticket>>) {
        let Some(tickets) = exchange.extensions.get_mut::<Self>() else { return Default::default() };
        let deferred = tickets.deferred.iter_mut().find(|(of, _)| *of == config);
        let fields = deferred.map(|(_, fields)| std::mem::take(fields)).unwrap_or_default();
        let ticket = tickets.held.iter().find(|ticket| ticket.bound.config.id() == config);
        (fields, ticket.map(Arc::clone))
    }

    /// The request's context under a configuration.
    pub(crate) fn find(exchange: &Exchange, config: u64) -> Option<&Arc<Ticket>> {
        exchange.extensions.get::<Self>()?.held.iter().find(|ticket| ticket.bound.config.id() == config)
    }

    /// Notes a context, in place of one from before.
    pub(crate) fn put(exchange: &mut Exchange, ticket: Arc<Ticket>) {
        let tickets = exchange.extensions.get_or_insert_default::<Self>();
        let id = ticket.bound.config.id();
        match tickets.held.iter_mut().find(|held| held.bound.config.id() == id) {
            Some(held) => *held = ticket,
            None => tickets.held.push(ticket),
        }
    }
}
