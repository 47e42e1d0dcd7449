//! What an instance is shown of messages: heads, bodies, trailers, and what happens while they are held.

use gateway_core::plugin::Exchange;
use wasmtime::Store;

use crate::{
    abi::Side,
    budgets::{body_budget, budget},
    entry::{Head, Part, Trap, Verdict, count, ends, enter, lend_head, lend_part, size, verdict},
    event::Event,
    exports::OnHead,
    happened::happened,
    held::{Held, Read},
    host::Host,
    instance::Instance,
};

impl Instance {
    /// The head of a message has come.
    pub(crate) fn head<M: Head>(
        &mut self,
        stream: u32,
        message: &mut M,
        exchange: &Exchange,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(on_head) = &exports.heads[M::SIDE as usize] else { return Ok(Verdict::Continue) };
        let (fields, end) = (message.fields(), u32::from(ends(message)));
        if let Some(stream) = store.data_mut().streams.get_mut(stream) {
            stream.skips = false;
        }
        let entry = (stream, budget(store));
        let returned = lend_head(store, stream, message, exchange, |store| match on_head {
            OnHead::New(call) => enter(store, exports, entry, Some(call), (stream, fields, end)),
            OnHead::Old(call) => enter(store, exports, entry, Some(call), (stream, fields)),
        })?;
        Ok(self.judge(stream, message, returned))
    }

    /// Something happened to a stream while its head is held.
    pub(crate) fn event<M: Head>(
        &mut self,
        stream: u32,
        event: Event,
        message: &mut M,
        exchange: &Exchange,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let root = store.data().root_of(stream).unwrap_or_default();
        lend_head(store, stream, message, exchange, |store| happened(store, exports, (stream, root), event))?;
        Ok(self.judge(stream, message, None))
    }

    /// More of a body has come while its head is held, or something happened then: the guest sees both. It lets them
    /// go by saying so; what it returns does not count.
    pub(crate) fn held<M: Head>(
        &mut self,
        stream: u32,
        (message, exchange): (&mut M, &Exchange),
        held: &mut Held,
        event: Option<Event>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let (side, root) = (M::SIDE, store.data().root_of(stream).unwrap_or_default());
        let (entry, read) = ((stream, body_budget(store, held.buffer.len())), held.read);
        let (length, fields) = (size(held.buffer.len()), count(&held.trailers));
        lend_head(store, stream, message, exchange, |store| {
            lend_part(store, (stream, side), &mut held.part(), Some(exchange), |store| match event {
                Some(event) => happened(store, exports, (stream, root), event),
                None if read == Read::ToTheTrailers && exports.trailers[side as usize].is_some() => {
                    let callback = exports.trailers[side as usize].as_ref();
                    enter(store, exports, entry, callback, (stream, fields)).map(drop)
                }
                None => {
                    // For a guest that knows no trailers the body ends where they begin.
                    let end = u32::from(read != Read::Partly);
                    let callback = exports.bodies[side as usize].as_ref();
                    enter(store, exports, entry, callback, (stream, length, end)).map(drop)
                }
            })
        })?;
        Ok(self.judge(stream, message, None))
    }

    /// Something happened to a stream while its body is held.
    pub(crate) fn event_in_body(
        &mut self,
        (stream, side): (u32, Side),
        event: Event,
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let root = store.data().root_of(stream).unwrap_or_default();
        asked(store, (stream, side), part, exchange, |store| {
            happened(store, exports, (stream, root), event).map(|()| None)
        })
    }

    /// Part of a body has come.
    pub(crate) fn body(
        &mut self,
        (stream, side): (u32, Side),
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(call) = &exports.bodies[side as usize] else { return Ok(Verdict::Continue) };
        let (entry, arguments) = (
            (stream, body_budget(store, part.buffer.len())),
            (stream, size(part.buffer.len()), u32::from(part.end)),
        );
        asked(store, (stream, side), part, exchange, |store| {
            enter(store, exports, entry, Some(call), arguments)
        })
    }

    /// The trailers of a body have come.
    pub(crate) fn trailers(
        &mut self,
        (stream, side): (u32, Side),
        part: &mut Part<'_>,
        exchange: Option<&Exchange>,
    ) -> Result<Verdict, Trap> {
        let Self { store, exports } = self;
        let Some(call) = &exports.trailers[side as usize] else { return Ok(Verdict::Continue) };
        let (entry, arguments) = ((stream, budget(store)), (stream, count(part.trailers)));
        asked(store, (stream, side), part, exchange, |store| {
            enter(store, exports, entry, Some(call), arguments)
        })
    }

    /// The guest's will about a head; one that is not held any longer is kept, if the guest may ask for it when it is gone.
    fn judge<M: Head>(&mut self, stream: u32, message: &M, returned: Option<u32>) -> Verdict {
        let host = self.store.data_mut();
        let uses = host.runtime.uses;
        let verdict = verdict(host, stream, M::SIDE, returned);
        let Some(stream) = host.streams.get_mut(stream).filter(|_| !matches!(verdict, Verdict::Pause)) else {
            return verdict;
        };
        let down = M::SIDE == Side::Response;
        let later = uses.log
            || uses.bodies[1] && !(down && stream.skips)
            || !down && (uses.heads[1] || uses.bodies[0]);
        if later && uses.fields {
            message.keep(stream);
        }
        if stream.skips && matches!(verdict, Verdict::Continue) { Verdict::Skip } else { verdict }
    }
}

/// Lends the guest a part for one callback, and takes its will about it.
fn asked(
    store: &mut Store<Host>,
    (stream, side): (u32, Side),
    part: &mut Part<'_>,
    exchange: Option<&Exchange>,
    callback: impl FnOnce(&mut Store<Host>) -> Result<Option<u32>, Trap>,
) -> Result<Verdict, Trap> {
    let returned = lend_part(store, (stream, side), part, exchange, callback)?;
    Ok(verdict(store.data_mut(), stream, side, returned))
}
