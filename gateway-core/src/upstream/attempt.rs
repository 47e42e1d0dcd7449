//! One try: a connection, the request on it, the head of the response.

use std::{
    error::Error as _,
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, header::HOST};
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::{Sleep, sleep};

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
    /// The request, where not a byte of it was written.
    pub(crate) unwritten: Option<Request<Body>>,
    /// Whether the endpoint may merely have closed a connection that had been idle.
    pub(crate) stale: bool,
}

/// Whether an idle connection may serve a try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Never,
}

/// Sends `request` to `endpoint` and waits for the head of its response.
pub(crate) async fn attempt(
    backend: &Backend,
    endpoint: &Arc<Endpoint>,
    shard: usize,
    request: Request<Body>,
    upload: Option<&Arc<Upload>>,
    reuse: Reuse,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let in_flight = endpoint.enter();
    let host = backend.transport.config().and_then(|_| request.headers().get(HOST).cloned());
    let connection = match open(backend, endpoint, shard, server_name(host.as_ref()), reuse).await {
        Ok(connection) => connection,
        Err(error) => return Err(Failure { error, unwritten: Some(request), stale: false }),
    };
    let mut lease = Lease { connection, in_flight, shard, upload: upload.cloned() };
    match send(backend, &mut lease.connection, request, upload.map(AsRef::as_ref)).await {
        Ok(response) => Ok((response, lease)),
        Err(mut failure) => {
            failure.stale = lease.connection.reused() && failure.error.reason() == Reason::Reset;
            Err(failure)
        }
    }
}

/// An idle connection that fits, or a new one.
async fn open(
    backend: &Backend,
    endpoint: &Arc<Endpoint>,
    shard: usize,
    sni: &str,
    reuse: Reuse,
) -> Result<Connection, Error> {
    let key = Key { transport: &backend.transport, sni };
    if reuse == Reuse::Allowed {
        while let Some(mut idle) = endpoint.pool().take(shard, key) {
            if idle.sender.ready().await.is_ok() {
                return Ok(idle);
            }
        }
    }
    connect(endpoint, key, backend.connect_timeout).await
}

/// The name to ask for in the handshake: the host that the request is for, as in Kong. None in clear.
fn server_name(host: Option<&HeaderValue>) -> &str {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

async fn send(
    backend: &Backend,
    connection: &mut Connection,
    request: Request<Body>,
    upload: Option<&Upload>,
) -> Result<Response<Incoming>, Failure> {
    if let Some(upload) = upload {
        upload.begin();
    }
    connection.awaiting.begin();
    let sending = connection.sender.try_send_request(request);
    let limit = backend.read_timeout;
    let mut timer = pin!(sleep(limit));
    let mut sending = pin!(sending);
    loop {
        tokio::select! {
            biased;
            sent = &mut sending => return sent.map_err(|error| classify(error, upload)),
            () = &mut timer => match patience(backend, upload) {
                Patience::Left(rest) => rearm(timer.as_mut(), rest),
                Patience::Over(reason) => {
                    return Err(Failure { error: reason.into(), unwritten: None, stale: false });
                }
            },
        }
    }
}

fn rearm(timer: Pin<&mut Sleep>, rest: Duration) {
    timer.reset(tokio::time::Instant::now() + rest);
}

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
    let unwritten = failed.take_message();
    let error = failed.into_error();
    let broken = upload.is_some_and(|upload| upload.progress() == Progress::Broken);
    let reason = if broken || error.is_user() {
        named_reason(&error).unwrap_or(Reason::BadRequestBody)
    } else if error.is_parse() {
        Reason::BadResponse
    } else {
        named_reason(&error).unwrap_or(Reason::Reset)
    };
    Failure { error: Error::new(reason, error), unwritten, stale: false }
}

/// The reason that the request's body or the connection's stream gave for ending: the client was too slow,
/// the interim responses too many.
fn named_reason(error: &hyper::Error) -> Option<Reason> {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let named = error.downcast_ref::<Error>().or_else(|| inner?.downcast_ref());
        if let Some(named) = named {
            return Some(named.reason());
        }
        cause = error.source();
    }
    None
}
