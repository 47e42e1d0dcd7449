//! What the running callback may touch.

use gateway_core::{Body, plugin::Exchange};
use http::{HeaderMap, Request, Response};
use scoped_tls::scoped_thread_local;

use crate::{
    abi::Side,
    buffer::Buffer,
    effects::Effects,
    event::{Answered, Received},
};

/// What the running callback may touch: lent for its time, and given back whatever comes of it.
#[derive(Default)]
pub(crate) struct Message {
    /// The stream that all but the answers of callouts belong to.
    pub(crate) stream: u32,
    pub(crate) request: Lent<Request<Body>>,
    pub(crate) response: Lent<Response<Body>>,
    pub(crate) body: Option<(Side, Buffer)>,
    pub(crate) trailers: Option<(Side, HeaderMap)>,
    pub(crate) answered: Option<Box<Answered>>,
    pub(crate) received: Option<Received>,
    pub(crate) arguments: Option<Buffer>,
    pub(crate) vm_configuration: Option<Buffer>,
    pub(crate) configuration: Option<Buffer>,
    /// What foreign functions want of the exchange.
    pub(crate) effects: Effects,
}

/// A head while it is lent. It is exchanged for an empty one: nothing is made for it, and nothing dropped.
#[derive(Default)]
pub(crate) struct Lent<M> {
    message: M,
    here: bool,
}

impl<M> Lent<M> {
    pub(crate) fn get(&self) -> Option<&M> {
        self.here.then_some(&self.message)
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut M> {
        self.here.then_some(&mut self.message)
    }

    pub(crate) fn lend(&mut self, message: &mut M) {
        std::mem::swap(&mut self.message, message);
        self.here = true;
    }

    pub(crate) fn give_back(&mut self, message: &mut M) {
        std::mem::swap(&mut self.message, message);
        self.here = false;
    }
}

scoped_thread_local!(
    /// The exchange that the running callback belongs to. A store cannot borrow it, and it is too large to be moved
    /// for each callback.
    pub(crate) static EXCHANGE: Exchange
);

/// Reads the exchange that the running callback belongs to, if it belongs to one.
pub(crate) fn with_exchange<R>(read: impl FnOnce(&Exchange) -> R) -> Option<R> {
    EXCHANGE.is_set().then(|| EXCHANGE.with(read))
}
