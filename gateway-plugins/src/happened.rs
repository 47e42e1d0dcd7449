//! Brings a guest what it has waited for.

use bytes::Bytes;
use wasmtime::Store;

use crate::{
    budgets::budget,
    buffer::Buffer,
    entry::{Trap, count, enter, size},
    event::{Event, Received},
    exports::Exports,
    host::Host,
};

/// Something happened to a context: the callback of its kind is entered.
pub(crate) fn happened(
    store: &mut Store<Host>,
    exports: &Exports,
    (context, root): (u32, u32),
    event: Event,
) -> Result<(), Trap> {
    // The configuration may be gone, and the guest knows nothing of it any more.
    if !store.data().roots.contains_key(&root) {
        return Ok(());
    }
    match event {
        Event::Decided => Ok(()),
        Event::Called(token, answered) => {
            let (fields, body, trailers) = answered.as_ref().map_or((0, 0, 0), |answered| {
                // `:status` counts.
                (count(&answered.headers) + 1, size(answered.body.len()), count(&answered.trailers))
            });
            store.data_mut().message.answered = answered;
            let entry = (root, budget(store));
            let arguments = (root, token, fields, body, trailers);
            let called = enter(store, exports, entry, exports.http_call_response.as_ref(), arguments);
            store.data_mut().message.answered = None;
            called.map(drop)
        }
        Event::Grpc(token, received, _heard) => grpc(store, exports, root, token, received),
        Event::Foreign(token, results) => {
            let context = if store.data().streams.contains(context) { context } else { root };
            foreign(store, exports, context, token, results)
        }
    }
}

/// A call that the guest has given up meanwhile brings nothing.
fn grpc(
    store: &mut Store<Host>,
    exports: &Exports,
    root: u32,
    token: u32,
    received: Received,
) -> Result<(), Trap> {
    if !store.data_mut().grpc.take_note(token, &received) {
        return Ok(());
    }
    let (callback, number) = match &received {
        Received::Initial(fields) => (&exports.grpc.initial, count(fields)),
        Received::Message(message) => (&exports.grpc.message, size(message.len())),
        Received::Trailing(fields) => (&exports.grpc.trailing, count(fields)),
        Received::Closed(code, _) => (&exports.grpc.close, *code),
    };
    store.data_mut().message.received = Some(received);
    let entry = (root, budget(store));
    let called = enter(store, exports, entry, callback.as_ref(), (root, token, number));
    store.data_mut().message.received = None;
    called.map(drop)
}

fn foreign(
    store: &mut Store<Host>,
    exports: &Exports,
    context: u32,
    token: u32,
    results: Bytes,
) -> Result<(), Trap> {
    let entry = (context, budget(store));
    let arguments = (context, token, size(results.len()));
    store.data_mut().message.arguments = Some(Buffer::One(results));
    let called = enter(store, exports, entry, exports.foreign_function.as_ref(), arguments);
    store.data_mut().message.arguments = None;
    called.map(drop)
}
