//! The end of an exchange: what is counted and logged.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;

use super::shared::Shared;
use crate::{
    ConnectInfo,
    body::Watch,
    error::{BoxError, Error, Reason},
    plugin::Exchange,
    snapshot::Entry,
};

/// What is due once an exchange is over, whatever way it ends: counting, the plugins' log phase, the log.
pub(super) struct Ending {
    pub(super) shared: Arc<Shared>,
    pub(super) exchange: Box<Exchange>,
    pub(super) entry: Option<Arc<Entry>>,
    ended: bool,
}

impl Ending {
    /// An exchange begins on the worker `shard`.
    pub(super) fn new(shared: &Arc<Shared>, shard: usize, connection: &Arc<ConnectInfo>) -> Self {
        let mut exchange = Box::new(Exchange::new(Arc::clone(connection)));
        exchange.shard = shard;
        // Until there is an answer, the end can only be that the client leaves; nginx logs it so.
        exchange.status = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        shared.observer.begin(shard);
        Self { shared: Arc::clone(shared), exchange, entry: None, ended: false }
    }

    pub(super) fn conclude(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let exchange = &mut self.exchange;
        exchange.timings.finished = Some(exchange.started.elapsed());
        let observer = &self.shared.observer;
        let metrics =
            self.entry.as_ref().map_or_else(|| observer.metrics().unmatched(), |entry| &entry.metrics);
        observer.finish(exchange.shard, metrics, exchange);
        if let Some(entry) = &self.entry {
            entry.chain.log(exchange);
        }
    }

    fn fail(&mut self, error: &BoxError) {
        let reason = error.downcast_ref::<Error>().map_or(Reason::ResponseTruncated, Error::reason);
        self.exchange.reason.get_or_insert(reason);
        self.conclude();
    }
}

/// A client that goes away, before the answer or before its last byte, ends its exchange too.
impl Drop for Ending {
    fn drop(&mut self) {
        if !self.ended {
            self.exchange.reason.get_or_insert(Reason::ClientClosed);
            self.conclude();
        }
    }
}

/// An exchange is counted to the end of its answer's body.
impl Watch for Ending {
    fn pass(&mut self, frame: &mut Frame<Bytes>) {
        self.exchange.response_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }

    fn end(&mut self, end: Result<(), &BoxError>) {
        match end {
            Ok(()) => self.conclude(),
            Err(error) => self.fail(error),
        }
    }
}
