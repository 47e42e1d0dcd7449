//! One try: a connection, the request on it, the head of the response.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, header::HOST};
use rustls::pki_types::ServerName;

use super::{
    Backend, Endpoint,
    connect::connect,
    download::{Lease, Rest, download},
    http1::{Broken, Decoder, Head, Malformed, Outgoing, Rewrite},
    http2,
    pool::{Connection, Key},
    upload::{Progress, Upload},
};
use crate::{
    Body, BoxError,
    error::{Error, Reason},
};

/// A try that failed.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether a byte of the request may have reached the endpoint.
    pub(crate) written: bool,
    /// Whether the endpoint may merely have closed a connection that had been idle.
    pub(crate) stale: bool,
}

/// The head of an answer, and what its body is read from.
pub(crate) type Answered = (Head, Coming);

/// What follows the head of an answer.
pub(crate) enum Coming {
    Http1(Decoder, Lease),
    /// In a box: few answers come so, and the others hold no room for it.
    Http2(Box<http2::Answer>),
}

impl Coming {
    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        match self {
            Self::Http1(_, lease) => lease.in_flight.endpoint(),
            Self::Http2(answer) => answer.endpoint(),
        }
    }

    /// Whether the answer came before its request was sent, which is used up by it.
    pub(crate) const fn is_early(&self) -> bool {
        match self {
            Self::Http1(_, lease) => lease.rest.is_some(),
            Self::Http2(answer) => answer.is_early(),
        }
    }

    /// The body.
    ///
    /// # Errors
    /// If the first bytes are broken already, while the client has seen nothing yet.
    pub(crate) fn download(self, read_timeout: Duration) -> Result<Body, Error> {
        match self {
            Self::Http1(decoder, lease) => download(decoder, lease, read_timeout),
            Self::Http2(answer) => Ok(answer.download(read_timeout)),
        }
    }
}

/// Whether an idle connection may serve a try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Never,
}

/// One try.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) shard: usize,
    pub(crate) reuse: Reuse,
    /// When it began; the clock is not read twice for it.
    pub(crate) begun: Instant,
    /// When it is over in any case, but for a client that is still sending its body.
    pub(crate) until: Option<Instant>,
}

impl Attempt<'_> {
    /// Sends `request`, changed as `rewrite` says, and waits for the head of its response. The request
    /// stays as it is but for a body that is not in memory; one whose answer comes before it is sent is taken.
    pub(crate) async fn run(
        self,
        request: &mut Request<Body>,
        rewrite: Rewrite<'_>,
        upload: Option<&Arc<Upload>>,
    ) -> Result<Answered, Failure> {
        if self.backend.transport.is_http2() {
            return Box::pin(http2::ask(self, request, rewrite, upload)).await;
        }
        let in_flight = self.endpoint.enter();
        let sni = self.server_name(rewrite.host.or_else(|| request.headers().get(HOST)));
        let (mut connection, begun) = match self.idle(sni) {
            Some(connection) => (connection, self.begun),
            None => (Box::pin(self.connect(sni)).await?, Instant::now()),
        };
        if let Some(upload) = upload {
            upload.begin();
        }
        connection.deadline.set(self.first_due(begun));
        let outgoing = connection.wire.begin(request, rewrite);
        let upload_seen = upload.map(AsRef::as_ref);
        let mut asking = Asking {
            attempt: self,
            connection: &mut connection,
            request,
            upload: upload_seen,
            outgoing,
            broken: None,
        };
        let answered = poll_fn(|cx| asking.poll(cx)).await;
        let outgoing = asking.outgoing;
        let (head, decoder) = answered.map_err(|error| {
            let stale = connection.reused() && error.reason() == Reason::Reset;
            Failure { error, written: connection.wire.has_sent(&outgoing), stale }
        })?;
        let rest = if outgoing.is_done() {
            connection.wire.sent(outgoing);
            None
        } else {
            Some(Rest::new(outgoing, std::mem::take(request)))
        };
        Ok((head, Coming::Http1(decoder, Lease { connection, in_flight, shard: self.shard, rest })))
    }

    /// An idle connection that fits.
    fn idle(self, sni: &str) -> Option<Box<Connection>> {
        if self.reuse == Reuse::Never {
            return None;
        }
        self.endpoint.pool().take(self.shard, Key { transport: &self.backend.transport, sni })
    }

    async fn connect(self, sni: &str) -> Result<Box<Connection>, Failure> {
        let key = Key { transport: &self.backend.transport, sni };
        let opening = connect(self.endpoint, key, self.connect_limit());
        opening.await.map_err(|error| Failure { error, written: false, stale: false })
    }

    /// How long opening a connection may take.
    pub(super) fn connect_limit(self) -> Duration {
        let limit = self.backend.connect_timeout;
        self.until.map_or(limit, |until| limit.min(until.saturating_duration_since(self.begun)))
    }

    /// When a request that goes out at `begun` is first looked after.
    pub(super) fn first_due(self, begun: Instant) -> Instant {
        let due = begun + self.backend.read_timeout;
        self.until.map_or(due, |until| until.min(due))
    }

    /// While the body is still going up, the limit is on writing; a client that sends slowly is the
    /// listener's to bound, not the upstream's fault.
    pub(super) fn patience(self, upload: Option<&Upload>, now: Instant) -> Patience {
        let Some(upload) = upload else { return Patience::Over(Reason::ReadTimeout) };
        let (limit, reason) = match upload.progress() {
            Progress::Client => return Patience::Left(self.backend.write_timeout),
            Progress::Upstream => (self.backend.write_timeout, Reason::WriteTimeout),
            Progress::Done => (self.backend.read_timeout, Reason::ReadTimeout),
            Progress::Broken => return Patience::Over(Reason::BadRequestBody),
        };
        let rest = limit.saturating_sub(upload.stalled(now));
        let rest = self.until.map_or(rest, |until| rest.min(until.saturating_duration_since(now)));
        if rest.is_zero() { Patience::Over(reason) } else { Patience::Left(rest) }
    }

    /// The name to ask for in the handshake: the host that the request is for, as in Kong. A client may say
    /// one that is no server's name; then the endpoint's own. None in clear.
    pub(super) fn server_name<'r>(&'r self, host: Option<&'r HeaderValue>) -> &'r str {
        let transport = &self.backend.transport;
        if transport.config().is_none() {
            return "";
        }
        let valid = |name: &&str| ServerName::try_from(*name).is_ok();
        host.map(bare_name).filter(valid).unwrap_or_else(|| bare_name(self.endpoint.host(transport)))
    }
}

/// A host without its port and the brackets of an address.
fn bare_name(host: &HeaderValue) -> &str {
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_start_matches('[').trim_end_matches(']')
}

/// A request on a connection, up to the head of its answer.
struct Asking<'a> {
    attempt: Attempt<'a>,
    connection: &'a mut Connection,
    request: &'a mut Request<Body>,
    upload: Option<&'a Upload>,
    outgoing: Outgoing,
    /// What ended the writing. An endpoint that refuses a body may stop reading it and have answered all the
    /// same (RFC 9112 section 9.5).
    broken: Option<io::Error>,
}

impl Asking<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Head, Decoder), Error>> {
        if self.broken.is_none() && !self.outgoing.is_done() {
            match self.connection.wire.poll_send(cx, &mut self.outgoing, self.request) {
                Poll::Ready(Err(Broken::Stream(error))) => self.broken = Some(error),
                Poll::Ready(Err(Broken::Body(error))) => return Poll::Ready(Err(clients_fault(error))),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        if let Poll::Ready(answered) = self.connection.wire.poll_head(cx, self.request.method()) {
            return Poll::Ready(answered.map_err(|error| self.endpoints_fault(error)));
        }
        loop {
            ready!(self.connection.deadline.poll(cx));
            match self.attempt.patience(self.upload, Instant::now()) {
                Patience::Left(rest) => self.connection.deadline.set(Instant::now() + rest),
                Patience::Over(reason) => return Poll::Ready(Err(reason.into())),
            }
        }
    }

    /// A connection that failed while it was written to has more to say about that than its end has.
    fn endpoints_fault(&mut self, error: BoxError) -> Error {
        if error.is::<Malformed>() {
            return Error::new(Reason::BadResponse, error);
        }
        let error = self.broken.take().map_or(error, BoxError::from);
        let cause = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        // In TLS 1.3 the other end refuses our certificate after our handshake is over.
        let refused = cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        Error::new(if refused { Reason::TlsHandshake } else { Reason::Reset }, error)
    }
}

/// A request whose body broke off: by the reason that it gives, such as a client that was too slow.
pub(super) fn clients_fault(error: BoxError) -> Error {
    let reason = error.downcast_ref::<Error>().map_or(Reason::BadRequestBody, Error::reason);
    Error::new(reason, error)
}

/// Whether a try that has taken long may take longer.
pub(super) enum Patience {
    Left(Duration),
    Over(Reason),
}
