//! A message that is held.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use gateway_core::plugin::{Exchange, Flow};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    bound::Bound,
    conclusion::{too_large, unreadable},
    entry::{Head, Verdict},
    event::Event,
    filter::{self, Rest},
    held::{self, Broken, Held, News},
    ticket::Ticket,
};

/// A message that is held.
pub(crate) struct Waiting {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) events: UnboundedReceiver<Event>,
    /// The body, where the guest reads it meanwhile.
    pub(crate) body: Option<Held>,
    /// How often the request may begin again.
    pub(crate) tries: u32,
}

impl Bound {
    /// Holds a message until something happens to its stream.
    pub(crate) fn hold<M: Head>(self: &Arc<Self>, mut waiting: Waiting) -> Flow<M> {
        let (bound, runtime) = (Arc::clone(self), Arc::clone(&self.pool.runtime));
        Flow::wait(
            async move {
                let news = held::next(&mut waiting.events, waiting.body.as_mut(), &runtime.limits).await;
                (news, waiting)
            },
            move |(news, waiting), message, exchange| match news {
                News::Event(Some(event)) => bound.happened(Some(event), waiting, message, exchange),
                News::Event(None) => bound.begin_again(waiting, message, exchange),
                News::Body => bound.happened(None, waiting, message, exchange),
                News::Nothing => {
                    bound.pool.runtime.held_too_long();
                    bound.give_up(waiting, message, exchange)
                }
                News::Broken(Broken::TooLarge) => too_large(exchange),
                News::Broken(Broken::Unreadable(error)) => unreadable(&*error, exchange),
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
            (None, body) => self.give_up(Waiting { body, ..waiting }, message, exchange),
        }
    }

    /// The guest does not let go what it holds: the error policy says what becomes of it.
    fn give_up<M: Head>(
        self: &Arc<Self>,
        waiting: Waiting,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        if let Some(held) = waiting.body {
            filter::put_back(&waiting.ticket, message, exchange, held, Rest::Passes);
        }
        self.fail(exchange)
    }

    /// Another request ended the instance in which this one waited. A request whose head the guest had not changed
    /// yet begins once more in the next instance.
    fn begin_again<M: Head>(
        self: &Arc<Self>,
        waiting: Waiting,
        message: &mut M,
        exchange: &mut Exchange,
    ) -> Flow<M> {
        if waiting.tries == 0 {
            return self.give_up(waiting, message, exchange);
        }
        if let Some(held) = waiting.body {
            // What was read comes first, as if it had just come.
            filter::put_back(&waiting.ticket, message, exchange, held, Rest::Passes);
        }
        self.pool.runtime.counts.restarted.fetch_add(1, Relaxed);
        self.begin(message, exchange, waiting.tries - 1)
    }
}
