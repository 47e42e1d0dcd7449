//! One call into a guest: its deadline, what is lent for its time, what it decided.

use gateway_core::{Body, plugin::Exchange};
use http::{HeaderMap, Request, Response, header::CONTENT_LENGTH};
use http_body::Body as _;
use wasmtime::{Memory, Store, TypedFunc, WasmParams, WasmResults};

use crate::{
    abi::{Action, Side},
    buffer::Buffer,
    deadline::Budget,
    exports::Exports,
    fields::written_path,
    host::Host,
    hostcalls::end_line,
    mailbox::Mailbox,
    message::{EXCHANGE, Lent, Message},
    stream::{RequestHead, ResponseHead, Stream},
};

/// The guest ended in a way that its instance does not outlive.
pub(crate) type Trap = wasmtime::Error;

/// What a guest wants done with a message.
pub(crate) enum Verdict {
    /// It goes on.
    Continue,
    /// It goes on, and the guest does not look at its body.
    Skip,
    /// It is held, until the guest says otherwise.
    Pause,
    /// This is the answer.
    Reply(Box<Response<Body>>),
    /// The exchange is given up.
    Close,
}

/// Part of a body under way.
pub(crate) struct Part<'a> {
    pub(crate) buffer: &'a mut Buffer,
    pub(crate) trailers: &'a mut HeaderMap,
    /// Whether nothing but trailers follows.
    pub(crate) end: bool,
}

/// The head of a message, request or response.
pub(crate) trait Head: Default + Send + 'static {
    /// Which way it goes.
    const SIDE: Side;

    /// Where it lies while it is lent.
    fn slot(message: &mut Message) -> &mut Lent<Self>;

    /// How many fields it has, pseudo-headers included.
    fn fields(&self) -> u32;

    /// Its header fields.
    fn headers_mut(&mut self) -> &mut HeaderMap;

    /// Its body.
    fn body_mut(&mut self) -> &mut Body;

    /// Takes its length off, where the body may become another.
    fn forget_length(&mut self);

    /// Leaves a copy for callbacks that come when it is gone.
    fn keep(&self, stream: &mut Stream);
}

impl Head for Request<Body> {
    const SIDE: Side = Side::Request;

    fn slot(message: &mut Message) -> &mut Lent<Self> {
        &mut message.request
    }

    fn fields(&self) -> u32 {
        count(self.headers()) + 4
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn body_mut(&mut self) -> &mut Body {
        self.body_mut()
    }

    /// The forwarder frames what goes up by the body itself.
    fn forget_length(&mut self) {}

    fn keep(&self, stream: &mut Stream) {
        stream.request = Some(Box::new(RequestHead {
            method: self.method().clone(),
            path: written_path(self),
            headers: self.headers().clone(),
        }));
    }
}

impl Head for Response<Body> {
    const SIDE: Side = Side::Response;

    fn slot(message: &mut Message) -> &mut Lent<Self> {
        &mut message.response
    }

    fn fields(&self) -> u32 {
        count(self.headers()) + 1
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn body_mut(&mut self) -> &mut Body {
        self.body_mut()
    }

    fn forget_length(&mut self) {
        self.headers_mut().remove(CONTENT_LENGTH);
    }

    fn keep(&self, stream: &mut Stream) {
        stream.response =
            Some(Box::new(ResponseHead { status: self.status(), headers: self.headers().clone() }));
    }
}

/// Whether no body follows a head.
pub(crate) fn ends(message: &mut impl Head) -> bool {
    message.body_mut().is_end_stream()
}

/// Calls a callback, if the guest has it, and ends the contexts that it let go in the meantime.
pub(crate) fn enter<P: WasmParams, R: WasmResults>(
    store: &mut Store<Host>,
    exports: &Exports,
    (context, budget): (u32, Budget),
    callback: Option<&TypedFunc<P, R>>,
    arguments: P,
) -> Result<Option<R>, Trap> {
    let result = call(store, (context, budget), callback, arguments)?;
    while let Some(stream) = store.data_mut().finished.pop() {
        call(store, (stream, budget), exports.log.as_ref(), stream)?;
        call(store, (stream, budget), exports.delete.as_ref(), stream)?;
        store.data_mut().streams.remove(stream);
    }
    Ok(result)
}

fn call<P: WasmParams, R: WasmResults>(
    store: &mut Store<Host>,
    (context, budget): (u32, Budget),
    callback: Option<&TypedFunc<P, R>>,
    arguments: P,
) -> Result<Option<R>, Trap> {
    let Some(callback) = callback else { return Ok(None) };
    begin(store, context, budget);
    let Some((mailbox, memory, root)) = mailbox(store.data(), context) else {
        let result = callback.call(&mut *store, arguments);
        end_line(store.data_mut());
        return result.map(Some);
    };
    mailbox.announce(memory, store, root);
    let result = callback.call(&mut *store, arguments);
    end_line(store.data_mut());
    let result = result?;
    let says = mailbox.says(memory, store);
    if says.anything()
        // What was waited for comes to the root, and the guest chooses the request.
        && let Some(stream) = store.data_mut().stream()
    {
        stream.keeps |= says.keeps();
        stream.skips |= says.skips();
    }
    Ok(Some(result))
}

/// The mailbox of a guest that has one, with the root of the context.
fn mailbox(host: &Host, context: u32) -> Option<(Mailbox, Memory, u32)> {
    let (mailbox, guest) = (host.mailbox?, host.guest.as_ref()?);
    Some((mailbox, guest.memory, host.streams.get(context).map_or(context, |stream| stream.root)))
}

/// The guest is about to run.
pub(crate) fn begin(store: &mut Store<Host>, context: u32, budget: Budget) {
    let host = store.data_mut();
    host.begin(context, budget);
    host.runtime.commons.ticker.want();
    // The first tick that finds the guest running asks the clock.
    store.set_epoch_deadline(1);
}

/// Calls with a head lent to the host; it is given back whatever comes of the call.
pub(crate) fn lend_head<M: Head, R>(
    store: &mut Store<Host>,
    stream: u32,
    message: &mut M,
    exchange: &Exchange,
    call: impl FnOnce(&mut Store<Host>) -> R,
) -> R {
    let lent = &mut store.data_mut().message;
    lent.stream = stream;
    M::slot(lent).lend(message);
    let result = EXCHANGE.set(exchange, || call(store));
    let lent = &mut store.data_mut().message;
    lent.stream = 0;
    M::slot(lent).give_back(message);
    result
}

/// Calls with part of a body lent to the host; it is given back whatever comes of the call.
pub(crate) fn lend_part<R>(
    store: &mut Store<Host>,
    (stream, side): (u32, Side),
    part: &mut Part<'_>,
    exchange: Option<&Exchange>,
    call: impl FnOnce(&mut Store<Host>) -> R,
) -> R {
    let lent = &mut store.data_mut().message;
    lent.stream = stream;
    lent.body = Some((side, std::mem::take(part.buffer)));
    // Before the end there is no place for trailers.
    lent.trailers = part.end.then(|| (side, std::mem::take(part.trailers)));
    let result = with_exchange(exchange, || call(store));
    let lent = &mut store.data_mut().message;
    lent.stream = 0;
    *part.buffer = lent.body.take().map(|(_, body)| body).unwrap_or_default();
    if let Some((_, trailers)) = lent.trailers.take() {
        *part.trailers = trailers;
    }
    result
}

/// Runs `call` where host calls can see the exchange.
pub(crate) fn with_exchange<R>(exchange: Option<&Exchange>, call: impl FnOnce() -> R) -> R {
    match exchange {
        Some(exchange) => EXCHANGE.set(exchange, call),
        None => call(),
    }
}

/// What the guest wants done, by what it did and what it returned.
pub(crate) fn verdict(host: &mut Host, stream: u32, side: Side, returned: Option<u32>) -> Verdict {
    let Some(stream) = host.streams.get_mut(stream) else { return Verdict::Continue };
    if let Some(reply) = stream.reply.take() {
        return Verdict::Reply(reply);
    }
    if stream.closed {
        return Verdict::Close;
    }
    let resumed = stream.take_resumed(side);
    match returned.map(Action::from) {
        Some(Action::Continue) => Verdict::Continue,
        _ if resumed => Verdict::Continue,
        _ => Verdict::Pause,
    }
}

/// How many fields there are.
pub(crate) fn count(fields: &HeaderMap) -> u32 {
    u32::try_from(fields.len()).unwrap_or(u32::MAX)
}

/// A length as guests are told it.
pub(crate) fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
