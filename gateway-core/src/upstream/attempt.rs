//! One try: a connection, the request on it, the head of the response.

use std::{
    error::Error as _,
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, header::HOST};
use hyper::{body::Incoming, client::conn::TrySendError};
use rustls::pki_types::ServerName;
use tokio::time::sleep_until;

use super::{
    Backend, Endpoint,
    connect::connect,
    download::Lease,
    pool::{Connection, Key},
    upload::{Progress, Upload},
};
use crate::{
    Body,
    error::{Error, Reason},
};

/// A try that failed.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// What is left of the request.
    pub(crate) request: Left,
    /// Whether the endpoint may merely have closed a connection that had been idle.
    pub(crate) stale: bool,
}

/// What a failed try leaves of its request.
pub(crate) enum Left {
    /// All of it: it was never taken.
    Whole,
    /// What it was taken for, where not a byte of it was written.
    Taken(Option<Box<Request<Body>>>),
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
}

impl Attempt<'_> {
    /// Sends `request`, which is taken unless no connection can be had, and waits for the head of its
    /// response.
    pub(crate) async fn run(
        self,
        request: &mut Request<Body>,
        upload: Option<&Arc<Upload>>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let in_flight = self.endpoint.enter();
        let (connection, begun) = match self.idle(request) {
            Some(connection) => (connection, self.begun),
            None => {
                let connection = Box::pin(self.connect(request.headers().get(HOST).cloned())).await?;
                (connection, Instant::now())
            }
        };
        let mut lease = Lease { connection, in_flight, shard: self.shard, upload: upload.cloned() };
        if let Some(upload) = upload {
            upload.begin();
        }
        lease.connection.awaiting.begin();
        let sending = lease.connection.sender.try_send_request(std::mem::take(request));
        match answered(self.backend, sending, upload.map(AsRef::as_ref), begun).await {
            Ok(response) => Ok((response, lease)),
            Err(mut failure) => {
                failure.stale = lease.connection.reused() && failure.error.reason() == Reason::Reset;
                Err(failure)
            }
        }
    }

    /// An idle connection that fits. One that is not ready has not come to rest after its last exchange,
    /// and is of no use.
    fn idle(self, request: &Request<Body>) -> Option<Connection> {
        if self.reuse == Reuse::Never {
            return None;
        }
        self.endpoint.pool().take(self.shard, self.key(request))
    }

    async fn connect(self, host: Option<HeaderValue>) -> Result<Connection, Failure> {
        let key = Key { transport: &self.backend.transport, sni: self.server_name(host.as_ref()) };
        let opening = connect(self.endpoint, key, self.backend.connect_timeout);
        opening.await.map_err(|error| Failure { error, request: Left::Whole, stale: false })
    }

    fn key<'r>(&'r self, request: &'r Request<Body>) -> Key<'r> {
        Key { transport: &self.backend.transport, sni: self.server_name(request.headers().get(HOST)) }
    }

    /// The name to ask for in the handshake: the host that the request is for, as in Kong. A client may say
    /// one that is no server's name; then the endpoint's own. None in clear.
    fn server_name<'r>(&'r self, host: Option<&'r HeaderValue>) -> &'r str {
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

/// The head of the response, unless patience ends first.
async fn answered(
    backend: &Backend,
    sending: impl Future<Output = Sent>,
    upload: Option<&Upload>,
    begun: Instant,
) -> Result<Response<Incoming>, Failure> {
    let mut timer = pin!(sleep_until((begun + backend.read_timeout).into()));
    let mut sending = pin!(sending);
    loop {
        tokio::select! {
            biased;
            sent = &mut sending => return sent.map_err(|error| classify(error, upload)),
            () = &mut timer => match patience(backend, upload) {
                Patience::Left(rest) => timer.as_mut().reset(tokio::time::Instant::now() + rest),
                Patience::Over(reason) => {
                    return Err(Failure { error: reason.into(), request: Left::Taken(None), stale: false });
                }
            },
        }
    }
}

/// What hyper says of a request it was given.
type Sent = Result<Response<Incoming>, TrySendError<Request<Body>>>;

/// Whether a try that has taken long may take longer.
enum Patience {
    Left(Duration),
    Over(Reason),
}

/// While the body is still going up, the limit is on writing; a client that sends slowly is the
/// listener's to bound, not the upstream's fault.
fn patience(backend: &Backend, upload: Option<&Upload>) -> Patience {
    let Some(upload) = upload else { return Patience::Over(Reason::ReadTimeout) };
    let (limit, reason) = match upload.progress() {
        Progress::Client => return Patience::Left(backend.write_timeout),
        Progress::Upstream => (backend.write_timeout, Reason::WriteTimeout),
        Progress::Done => (backend.read_timeout, Reason::ReadTimeout),
        Progress::Broken => return Patience::Over(Reason::BadRequestBody),
    };
    let rest = limit.saturating_sub(upload.stalled(Instant::now()));
    if rest.is_zero() { Patience::Over(reason) } else { Patience::Left(rest) }
}

/// Whose fault it is that the exchange broke off.
fn classify(mut failed: TrySendError<Request<Body>>, upload: Option<&Upload>) -> Failure {
    let unwritten = failed.take_message().map(Box::new);
    let error = failed.into_error();
    let broken = upload.is_some_and(|upload| upload.progress() == Progress::Broken);
    let reason = if broken || error.is_user() {
        named_reason(&error).unwrap_or(Reason::BadRequestBody)
    } else if error.is_parse() {
        Reason::BadResponse
    } else {
        named_reason(&error).unwrap_or(Reason::Reset)
    };
    Failure { error: Error::new(reason, error), request: Left::Taken(unwritten), stale: false }
}

/// The reason that the request's body or the connection's stream gave for ending: the client was too slow,
/// the interim responses too many.
fn named_reason(error: &hyper::Error) -> Option<Reason> {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some() {
            // In TLS 1.3 the other end refuses our certificate after our handshake is over.
            return Some(Reason::TlsHandshake);
        }
        let named = error.downcast_ref::<Error>().or_else(|| inner?.downcast_ref());
        if let Some(named) = named {
            return Some(named.reason());
        }
        cause = error.source();
    }
    None
}
