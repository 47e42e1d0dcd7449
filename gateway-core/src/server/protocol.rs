//! hyper's two protocols as this server uses them.

use std::{convert::Infallible, io, pin::Pin, sync::Arc};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer::{Answer, Reply, answer},
    deadline::Wire,
    serve::Serve,
    settings::Limits,
    state::ConnState,
    stream_executor::StreamExecutor,
    tape::Tape,
    watchdog::Conn,
};
use crate::ConnectInfo;

pub(super) fn service<S: Serve>(
    serve: S,
    info: ConnectInfo,
    state: Arc<ConnState>,
    cancel_window: u32,
    tape: Option<Tape>,
) -> impl Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible, Future = Answer<S::Future>>
+ Send {
    let info = Arc::new(info);
    service_fn(move |mut request| {
        if let Some(tape) = &tape {
            tape.restore(&mut request);
        }
        answer(&serve, &info, &state, cancel_window, request)
    })
}

/// None of hyper's leniencies is used, and none of its timers: the watchdog covers them.
pub(super) fn http1_builder(limits: &Limits) -> http1::Builder {
    /// What hyper parses without an allocation for each request; telling it the same number costs one.
    const FIELDS: usize = 100;
    let head = limits.head.max(8192);
    let mut builder = http1::Builder::new();
    // The buffer alone would let a larger head pass when its end comes in the same read.
    builder.half_close(false).header_read_timeout(None).max_buf_size(head).max_header_size(head);
    if limits.fields != FIELDS {
        builder.max_headers(limits.fields);
    }
    builder
}

pub(super) fn http2_builder(limits: &Limits, executor: StreamExecutor) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(executor);
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list)
        .max_local_error_reset_streams(limits.local_resets)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_send_buf_size(limits.send_buffer);
    builder
}

impl<I, S> Conn for http1::UpgradeableConnection<TokioIo<I>, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible>,
{
    const WIRE: Wire = Wire::Http1;

    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Conn for http2::Connection<TokioIo<I>, S, StreamExecutor>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible>,
    S::Future: Future<Output = Result<Response<Reply>, Infallible>> + Send + 'static,
{
    const WIRE: Wire = Wire::Http2;

    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

pub(super) fn is_protocol_error(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    !source.is_some_and(<dyn std::error::Error>::is::<io::Error>)
        && !error.is_canceled()
        && !error.is_incomplete_message()
}
