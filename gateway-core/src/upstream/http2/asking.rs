//! One try over HTTP/2: a seat, the request on it, the head of the answer.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use h2::{RecvStream, client::ResponseFuture};
use http::{
    Request, Response,
    header::{CONTENT_LENGTH, HOST},
    uri::Scheme,
};
use http_body::Body as _;

use super::{
    super::{
        attempt::{Answered, Attempt, Coming, Failure, Patience, Reuse, clients_fault},
        deadline::Deadline,
        http1::{Head, Rewrite},
        pool::Key,
        upload::Upload,
    },
    Answer, MOST_FIELDS,
    connection::Seat,
    pool::Open,
    request,
    sending::{Broken, Rest, Sending},
};
use crate::{
    Body,
    error::{Error, Reason},
};

/// Interim responses before the answer; more is a bad response. As over HTTP/1.1.
const MOST_INTERIM: u32 = 16;

/// Sends `request`, changed as `rewrite` says, and waits for the head of its answer. The request stays as it is but
/// for a body that is not in memory: what has been sent of it is in memory afterwards, if that is not much. One whose
/// answer comes before it is sent is taken.
pub(in super::super) async fn ask(
    attempt: Attempt<'_>,
    request: &mut Request<Body>,
    rewrite: Rewrite<'_>,
    upload: Option<&Arc<Upload>>,
) -> Result<Answered, Failure> {
    let in_flight = attempt.endpoint.enter();
    let (seat, response, sending) = begin(attempt, request, rewrite).await?;
    if let Some(upload) = upload {
        upload.begin();
    }
    let mut deadline = Deadline::new(attempt.first_due(Instant::now()));
    let upload = upload.map(AsRef::as_ref);
    let mut asking = Asking {
        attempt,
        upload,
        request,
        response,
        sending,
        deadline: &mut deadline,
        broken: None,
        interim: 0,
    };
    let answered = poll_fn(|cx| asking.poll(cx)).await;
    let (mut sending, broken) = (asking.sending, asking.broken);
    let response = match answered {
        Ok(response) => response,
        Err(end) => return Err(end.failure(broken, &seat, sending.give_back(request.body_mut()))),
    };
    let (head, stream) = taken_apart(response)?;
    if sending.is_done() {
        // A policy may want it once more.
        sending.give_back(request.body_mut());
    } else {
        sending.keep_nothing();
    }
    let rest = (!sending.is_done()).then(|| Rest { sending, body: std::mem::take(request.body_mut()) });
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let answer = Answer { stream, rest, deadline, length, in_flight, seat };
    Ok((head, Coming::Http2(Box::new(answer))))
}

/// Sends the head, on a connection that takes it.
async fn begin(
    attempt: Attempt<'_>,
    request: &mut Request<Body>,
    rewrite: Rewrite<'_>,
) -> Result<(Seat, ResponseFuture, Sending), Failure> {
    let transport = &attempt.backend.transport;
    let sni = attempt.server_name(rewrite.host.or_else(|| request.headers().get(HOST))).to_owned();
    let key = Key { transport, sni: &sni };
    let scheme = if transport.config().is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let whole = request.body().as_bytes().cloned();
    let ends = whole.is_none() && request.body().is_end_stream();
    let open = if attempt.reuse == Reuse::Never { Open::New } else { Open::Any };
    loop {
        let pool = attempt.endpoint.http2();
        let limit = attempt.connect_limit();
        let seat = pool.seat(attempt.endpoint, attempt.shard, key, limit, open).await.map_err(unsent)?;
        let head = request::head(request, rewrite, &scheme).map_err(unsent)?;
        let error = match seat.send(head, ends) {
            Ok((response, stream)) => {
                let sending = if ends { Sending::none(stream) } else { Sending::new(stream, whole) };
                return Ok((seat, response, sending));
            }
            Err(error) => error,
        };
        if !(error.is_io() || error.is_go_away()) {
            return Err(unsent(Error::new(Reason::Internal, error)));
        }
        // It has ended, or was told to end, since its last request: that says nothing of the endpoint.
        seat.retire();
        if !seat.is_reused() {
            return Err(unsent(Error::new(Reason::Reset, error)));
        }
    }
}

fn unsent(error: Error) -> Failure {
    Failure { error, written: false, stale: false }
}

/// The head of an answer, and what its body is read from.
fn taken_apart(response: Response<RecvStream>) -> Result<(Head, RecvStream), Failure> {
    let (parts, stream) = response.into_parts();
    if parts.headers.len() > MOST_FIELDS {
        return Err(Failure { error: Reason::BadResponse.into(), written: true, stale: false });
    }
    let (version, status, headers) = (parts.version, parts.status, parts.headers);
    Ok((Head { version, status, headers }, stream))
}

/// A request under way, up to the head of its answer.
struct Asking<'a> {
    attempt: Attempt<'a>,
    upload: Option<&'a Upload>,
    request: &'a mut Request<Body>,
    response: ResponseFuture,
    sending: Sending,
    deadline: &'a mut Deadline,
    /// What ended the sending. A server that has answered may reset what it does not read (RFC 9113 section 8.1).
    broken: Option<h2::Error>,
    interim: u32,
}

/// Why there is no answer.
enum End {
    /// Of the stream, or of its connection.
    Stream(h2::Error),
    /// The client's fault, or time is over.
    Own(Error),
}

impl Asking<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<RecvStream>, End>> {
        if self.broken.is_none() && !self.sending.is_done() {
            match self.sending.poll(cx, self.request.body_mut()) {
                Poll::Ready(Err(Broken::Stream(error))) => self.broken = Some(error),
                Poll::Ready(Err(Broken::Body(error))) => {
                    return Poll::Ready(Err(End::Own(clients_fault(error))));
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        if let Poll::Ready(answered) = self.poll_response(cx) {
            return Poll::Ready(answered);
        }
        loop {
            ready!(self.deadline.poll(cx));
            match self.attempt.patience(self.upload, Instant::now()) {
                Patience::Left(rest) => self.deadline.set(Instant::now() + rest),
                Patience::Over(reason) => return Poll::Ready(Err(End::Own(reason.into()))),
            }
        }
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<RecvStream>, End>> {
        while let Poll::Ready(Some(interim)) = self.response.poll_informational(cx) {
            interim.map_err(End::Stream)?;
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Poll::Ready(Err(End::Own(Reason::BadResponse.into())));
            }
        }
        Pin::new(&mut self.response).poll(cx).map_err(End::Stream)
    }
}

impl End {
    /// The failure of the try. `broken` has more to say where it came first.
    fn failure(self, broken: Option<h2::Error>, seat: &Seat, body_is_there: bool) -> Failure {
        let error = match self {
            Self::Own(error) => {
                if error.reason() == Reason::ReadTimeout {
                    seat.timed_out();
                }
                return Failure { error, written: true, stale: false };
            }
            Self::Stream(error) => broken.filter(|_| !is_unprocessed(&error)).unwrap_or(error),
        };
        let unprocessed = is_unprocessed(&error);
        let stale = unprocessed && error.is_go_away() && seat.is_reused() && body_is_there;
        if !error.is_reset() {
            seat.retire();
        }
        let reason = if is_malformed(&error) { Reason::BadResponse } else { Reason::Reset };
        Failure { error: Error::new(reason, error), written: !(unprocessed && body_is_there), stale }
    }
}

/// Whether the endpoint says that it has done nothing (RFC 9113 section 8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Whether this end has found that the other does not speak HTTP/2, or not well.
fn is_malformed(error: &h2::Error) -> bool {
    error.is_library() && !error.is_io()
}
