//! A body on its way through a guest.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Reason,
    plugin::Exchange,
    reply::{Instead, Refusal},
};
use http::{HeaderMap, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    abi::Side,
    buffer::Buffer,
    entry::{Head, Part, Trap, Verdict, ends},
    event::Event,
    held::{Held, Read},
    instance::Instance,
    pause::{Pause, TooLong},
    ticket::Ticket,
};

/// Leads the body of `message` through the guest, if there is one and the guest looks at bodies.
pub(crate) fn attach<M: Head>(ticket: Arc<Ticket>, message: &mut M, exchange: &mut Exchange) {
    let uses = ticket.worker.runtime.uses;
    if !uses.bodies[M::SIDE as usize] || ends(message) {
        return;
    }
    let facts = (uses.properties || uses.fields).then(|| facts(exchange));
    if uses.edits {
        message.forget_length();
    }
    let body = std::mem::take(message.body_mut());
    *message.body_mut() = Body::new(Filtered::new(body, ticket, M::SIDE, facts));
}

/// Puts a body that the guest has read while it held the head back into `message`. What is left of it goes through
/// the guest, if there still is one.
pub(crate) fn put_back<M: Head>(
    ticket: &Arc<Ticket>,
    message: &mut M,
    exchange: &mut Exchange,
    held: Held,
    rest: Rest,
) {
    let next = match rest {
        Rest::Filtered => Stage::Flowing,
        Rest::Passes => Stage::Passing,
    };
    let mut filtered = Filtered::new(held.source, Arc::clone(ticket), M::SIDE, Some(facts(exchange)));
    (filtered.buffer, filtered.trailers) = (held.buffer, held.trailers);
    filtered.release(if held.read == Read::Partly { At::Middle } else { At::End }, next);
    *message.body_mut() = Body::new(filtered);
}

/// What becomes of the rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Filtered,
    Passes,
}

/// The exchange as callbacks of the body see it: the body outlives the phase.
fn facts(exchange: &mut Exchange) -> Box<Exchange> {
    let extensions = std::mem::take(&mut exchange.extensions);
    let facts = Box::new(exchange.clone());
    exchange.extensions = extensions;
    facts
}

/// A body whose frames a guest sees, may change and may hold.
///
/// While the guest holds it, chunks are put together, up to a bound, and the guest sees all of them with each that
/// comes: as Envoy does for `StopIterationAndBuffer`.
struct Filtered {
    source: Body,
    ticket: Arc<Ticket>,
    side: Side,
    facts: Option<Box<Exchange>>,
    stage: Stage,
    /// What the guest has not let go yet.
    buffer: Buffer,
    trailers: HeaderMap,
    /// What it has.
    ready: VecDeque<Frame<Bytes>>,
}

enum Stage {
    /// Chunks go through as they come.
    Flowing,
    /// The guest holds them.
    Held(Pause),
    /// It holds them, and nothing more comes.
    HeldWhole(Pause),
    /// Nothing more comes.
    Over,
    /// There is no guest any more.
    Passing,
}

/// Where in the body the guest is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Middle,
    End,
    Trailers,
}

impl Filtered {
    fn new(source: Body, ticket: Arc<Ticket>, side: Side, facts: Option<Box<Exchange>>) -> Self {
        Self {
            source,
            ticket,
            side,
            facts,
            stage: Stage::Flowing,
            buffer: Buffer::default(),
            trailers: HeaderMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes what the source gave.
    fn take(&mut self, frame: Option<Frame<Bytes>>) -> Result<(), BoxError> {
        let at = match frame.map(Frame::into_data) {
            None => At::End,
            Some(Ok(chunk)) => {
                self.push(chunk)?;
                if self.source.is_end_stream() { At::End } else { At::Middle }
            }
            Some(Err(frame)) => {
                self.trailers = frame.into_trailers().unwrap_or_default();
                At::Trailers
            }
        };
        self.show(at, |instance, stream, part, facts| match at {
            At::Middle | At::End => instance.body(stream, part, facts),
            At::Trailers => instance.trailers(stream, part, facts),
        })
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), BoxError> {
        let limit = self.ticket.worker.runtime.limits.body;
        if self.buffer.len() > 0 && self.buffer.len() + chunk.len() > limit {
            return Err(match self.side {
                Side::Request => Box::new(Refusal {
                    reason: Reason::BodyTooLarge,
                    status: StatusCode::PAYLOAD_TOO_LARGE,
                    message: "Payload Too Large".into(),
                }),
                Side::Response => "a plugin holds more of the answer than it may".into(),
            });
        }
        self.buffer.push(chunk);
        Ok(())
    }

    /// Shows the guest what there is, and does what it wants.
    fn show(
        &mut self,
        at: At,
        call: impl FnOnce(&mut Instance, (u32, Side), &mut Part<'_>, Option<&Exchange>) -> Result<Verdict, Trap>,
    ) -> Result<(), BoxError> {
        let (stream, side) = (self.ticket.stream, self.side);
        let Some(lease) = self.ticket.worker.lease(self.ticket.life) else { return self.orphaned(at) };
        let mut part = Part { buffer: &mut self.buffer, trailers: &mut self.trailers, end: at != At::Middle };
        let facts = self.facts.as_deref();
        let held = matches!(self.stage, Stage::Held(_) | Stage::HeldWhole(_));
        let seen = lease.enter(|instance| {
            // The exchange may be over before its request is: an early answer.
            if !instance.host().streams.contains(stream) {
                return Ok((Verdict::Continue, None));
            }
            let verdict = call(instance, (stream, side), &mut part, facts)?;
            let stream = instance.host().streams.get_mut(stream);
            Ok(match (&verdict, stream) {
                (Verdict::Pause, Some(stream)) if !held => {
                    let events = stream.wait(side);
                    (verdict, Some(events))
                }
                (Verdict::Pause, _) | (_, None) => (verdict, None),
                (_, Some(stream)) => {
                    stream.go_on(side);
                    (verdict, None)
                }
            })
        });
        match seen {
            None => self.failed(at),
            Some((verdict, events)) => self.judged(at, verdict, events),
        }
    }

    fn judged(
        &mut self,
        at: At,
        verdict: Verdict,
        events: Option<UnboundedReceiver<Event>>,
    ) -> Result<(), BoxError> {
        match verdict {
            Verdict::Continue | Verdict::Skip => {
                self.release(at, Stage::Flowing);
                Ok(())
            }
            Verdict::Pause => {
                self.hold(at, events);
                Ok(())
            }
            Verdict::Reply(response) if self.side == Side::Request => Err(Box::new(Instead::new(*response))),
            Verdict::Reply(_) => Err("a plugin answers when the answer is on its way".into()),
            Verdict::Close => Err("a plugin gave the exchange up".into()),
        }
    }

    fn hold(&mut self, at: At, events: Option<UnboundedReceiver<Event>>) {
        let longest = self.ticket.worker.runtime.limits.pause;
        let pause = match (std::mem::replace(&mut self.stage, Stage::Over), events) {
            (_, Some(events)) => Pause::new(events, longest),
            (Stage::Held(mut pause) | Stage::HeldWhole(mut pause), None) => {
                pause.prolong(longest);
                pause
            }
            (stage, None) => return self.stage = stage,
        };
        self.stage = if at == At::Middle { Stage::Held(pause) } else { Stage::HeldWhole(pause) };
    }

    /// Lets go what is held.
    fn release(&mut self, at: At, next: Stage) {
        let bytes = self.buffer.take();
        if !bytes.is_empty() {
            self.ready.push_back(Frame::data(bytes));
        }
        if at == At::Middle {
            self.stage = next;
            return;
        }
        let trailers = std::mem::take(&mut self.trailers);
        if !trailers.is_empty() {
            self.ready.push_back(Frame::trailers(trailers));
        }
        self.stage = Stage::Over;
    }

    /// The guest trapped on this body.
    fn failed(&mut self, at: At) -> Result<(), BoxError> {
        self.ticket.worker.runtime.counts.failed.fetch_add(1, Relaxed);
        match (self.ticket.bound.config.grants.on_error.status(), self.side) {
            (None, _) => {
                self.release(at, Stage::Passing);
                Ok(())
            }
            (Some(status), Side::Request) => {
                let message = "An unexpected error occurred".into();
                Err(Box::new(Refusal { reason: Reason::Plugin, status, message }))
            }
            (Some(_), Side::Response) => Err("a plugin failed on the answer".into()),
        }
    }

    /// Another request ended the instance. What goes down has been judged, but for what the guest still held; what goes up
    /// has not.
    fn orphaned(&mut self, at: At) -> Result<(), BoxError> {
        let held = matches!(self.stage, Stage::Held(_) | Stage::HeldWhole(_));
        if held || self.side == Side::Request {
            return self.failed(at);
        }
        self.ticket.worker.runtime.counts.skipped.fetch_add(1, Relaxed);
        self.release(at, Stage::Passing);
        Ok(())
    }

    /// Something happened while the body is held.
    fn happened(&mut self, event: Result<Option<Event>, TooLong>, at: At) -> Result<(), BoxError> {
        match event {
            Err(TooLong) => {
                self.ticket.worker.runtime.held_too_long();
                self.failed(at)
            }
            Ok(None) => self.orphaned(at),
            Ok(Some(event)) => self
                .show(at, |instance, stream, part, facts| instance.event_in_body(stream, event, part, facts)),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let event = match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Passing => return Pin::new(&mut self.source).poll_frame(cx),
                Stage::Flowing => Poll::Pending,
                Stage::Held(pause) => pause.poll(cx).map(|event| (event, At::Middle)),
                Stage::HeldWhole(pause) => {
                    let event = ready!(pause.poll(cx));
                    Poll::Ready((event, At::End))
                }
            };
            match event {
                Poll::Ready((event, at)) => self.happened(event, at)?,
                Poll::Pending => {
                    let frame = ready!(Pin::new(&mut self.source).poll_frame(cx)).transpose()?;
                    self.take(frame)?;
                }
            }
        }
    }
}

impl HttpBody for Filtered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.poll_next(cx);
        if let Poll::Ready(Some(Err(_))) = &next {
            self.stage = Stage::Over;
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.ready.is_empty()
    }

    /// Known where the guest cannot change it.
    fn size_hint(&self) -> SizeHint {
        if self.ticket.worker.runtime.uses.edits {
            return SizeHint::default();
        }
        let ready = self.ready.iter().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
        let here = (ready + self.buffer.len()) as u64;
        let source = self.source.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(source.lower() + here);
        if let Some(upper) = source.upper() {
            whole.set_upper(upper + here);
        }
        whole
    }
}
