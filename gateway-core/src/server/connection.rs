//! One connection: TLS or not, which HTTP, and its life until the end.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::io::InspectReader;
use tracing::debug;

use super::{
    certificates::Certificates,
    counters::{Counters, Refusal, Timeout},
    deadline::{Times, Wire},
    drain::{Bell, Drain, Entered, Phase},
    farewell::{Linger, TIMED_OUT, refuse, say},
    frames::Frames,
    protocol::{http1_builder, http2_builder, is_protocol_error, service},
    proxy_protocol::ProxyHead,
    rest::{Begun, close, rest},
    serve::Serve,
    settings::{Limits, Settings},
    state::ConnState,
    stream_executor::StreamExecutor,
    tape::Tape,
    timed_io::{TimedIo, Transport},
    tls,
    watchdog::{Conn, End, watch},
};
use crate::{ConnectInfo, clock, sanitize::TrustedIps};

/// What the connections of one worker have in common. An embedder with a listener of its own makes
/// one (or one a thread) and calls [`serve`](Self::serve) for each connection; clones are the same one.
///
/// ```
/// # async fn run() -> std::io::Result<()> {
/// use std::sync::Arc;
/// use gateway_core::{Body, ConnectInfo, server::{Connections, Drain, Settings}};
/// use http::{Request, Response};
///
/// let connections = Connections::new(&Settings::default(), &Drain::new());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let hello = |_: &Arc<ConnectInfo>, _: Request<Body>| async { Response::new(Body::from("hello")) };
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     let info = ConnectInfo::new(peer, stream.local_addr()?);
///     let connections = connections.clone();
///     tokio::spawn(async move { connections.serve(stream, info, hello).await });
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counters: Arc<Counters>,
    drain: Drain,
    times: Times,
    max_connections: usize,
    proxy_head: Duration,
    handshake: Duration,
    silence: Duration,
    linger: Duration,
    limits: Limits,
    http1: http1::Builder,
}

impl Connections {
    /// Connections with these settings, stopped by `drain`.
    #[must_use]
    pub fn new(settings: &Settings, drain: &Drain) -> Self {
        let timeouts = &settings.timeouts;
        Self(Arc::new(Shared {
            counters: Arc::default(),
            drain: drain.clone(),
            times: Times::new(timeouts),
            max_connections: settings.max_connections,
            proxy_head: timeouts.proxy_head,
            handshake: timeouts.handshake,
            silence: timeouts.silence,
            linger: timeouts.linger,
            limits: settings.limits.clone(),
            http1: http1_builder(&settings.limits),
        }))
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    /// The handle that stops them.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.0.drain
    }

    /// Serves one connection until its end: HTTP/1.1, or HTTP/2 if its preface comes first. Over the
    /// limit of connections it is answered with 503. It must run within a tokio runtime with time
    /// enabled; dropping the future cuts the connection.
    pub async fn serve<T: Transport>(&self, transport: T, info: ConnectInfo, serve: impl Serve) {
        match self.admit() {
            Some(entered) => self.clear(transport, info, serve, entered).await,
            None => refuse(transport).await,
        }
    }

    /// Serves one connection over TLS, by the protocol that ALPN settles: `h2` or `http/1.1`, the latter
    /// also without ALPN; `info` gets what the handshake settled. Over the limit it is closed.
    pub async fn serve_tls<T: Transport>(
        &self,
        transport: T,
        info: ConnectInfo,
        certificates: &Certificates,
        serve: impl Serve,
    ) {
        if let Some(entered) = self.admit() {
            self.tls(transport, info, certificates, serve, entered).await;
        }
    }

    /// Reads what a proxy says of a connection before anything else is read of it (PROXY protocol, versions 1
    /// and 2); gives `info` with the source that was told, if one was. None where the connection has to be
    /// closed: its peer is not among those `trusted`, or says nothing of the kind in time. Then
    /// [`serve`](Self::serve) or [`serve_tls`](Self::serve_tls) goes on with the same `transport`.
    pub async fn read_proxy_head(
        &self,
        transport: &mut (impl AsyncRead + Unpin),
        info: ConnectInfo,
        trusted: &TrustedIps,
    ) -> Option<ConnectInfo> {
        if !trusted.contains(info.peer().ip()) {
            debug!(peer = %info.peer(), "not trusted to speak the PROXY protocol");
            self.0.counters.refuse(Refusal::ProxyUntrusted);
            return None;
        }
        match self.within(self.0.proxy_head, ProxyHead::read(transport)).await {
            Some(Ok(ProxyHead { source: Some(source) })) => return Some(info.with_source(source)),
            Some(Ok(ProxyHead { source: None })) => return Some(info),
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                debug!(peer = %info.peer(), %error, "refused");
                self.0.counters.refuse(Refusal::BadProxyHead);
            }
            // Somebody only looked whether the port is open.
            Some(Err(_)) => {}
            None if self.0.drain.phase() == Phase::Stopped => {}
            None => self.0.counters.time_out(Timeout::ProxyHead, 1),
        }
        None
    }

    /// A place for one more connection.
    pub(super) fn admit(&self) -> Option<Entered> {
        self.0.counters.accepted.fetch_add(1, Relaxed);
        let entered = self.0.drain.enter();
        if self.0.drain.connections() <= self.0.max_connections {
            return Some(entered);
        }
        self.0.counters.refuse(Refusal::OverLimit);
        None
    }

    pub(super) async fn clear<T: Transport>(
        &self,
        transport: T,
        info: ConnectInfo,
        serve: impl Serve,
        entered: Entered,
    ) {
        let (mut io, state) = self.open(transport, entered);
        let wire = Box::pin(self.choose(&mut io)).await;
        let Some(wire) = wire else { return };
        // Boxed one by one, so that an idle connection does not carry the larger of them.
        match wire {
            Wire::Http1 => Box::pin(self.http1(io, info, serve, state)).await,
            Wire::Http2 => Box::pin(self.http2(io, info, serve, state)).await,
        }
    }

    pub(super) async fn tls<T: Transport>(
        &self,
        transport: T,
        info: ConnectInfo,
        certificates: &Certificates,
        serve: impl Serve,
        entered: Entered,
    ) {
        let (io, state) = self.open(transport, entered);
        let handshake = self.within(self.0.handshake, certificates.accept(io));
        let stream = match Box::pin(handshake).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                debug!(peer = %info.peer(), error = tls::told(&error), "TLS handshake failed");
                return self.0.counters.refuse(tls::refusal(&error));
            }
            None if self.0.drain.phase() == Phase::Stopped => return,
            None => return self.0.counters.time_out(Timeout::Handshake, 1),
        };
        state.begin_http();
        let tls = tls::info(stream.get_ref().1);
        let wire = if tls.alpn.as_deref() == Some(b"h2") { Wire::Http2 } else { Wire::Http1 };
        let info = info.with_tls(tls);
        match wire {
            Wire::Http1 => Box::pin(self.http1(stream, info, serve, state)).await,
            Wire::Http2 => Box::pin(self.http2(stream, info, serve, state)).await,
        }
    }

    fn open<T: Transport>(&self, transport: T, entered: Entered) -> (TimedIo<T>, Arc<ConnState>) {
        let state = Arc::new(ConnState::new(Arc::clone(&self.0.counters), &self.0.times, entered));
        (TimedIo::new(transport, Arc::clone(&state)), state)
    }

    /// Runs `work` for at most `patience`, and not into a stop.
    async fn within<F: Future>(&self, patience: Duration, work: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = timeout(patience, work) => done.ok(),
            () = self.0.drain.reached(Phase::Stopped) => None,
        }
    }

    /// Looks at the first bytes. A connection that has not said a word is closed a moment after a stop
    /// has begun.
    async fn choose<T: Transport>(&self, io: &mut TimedIo<T>) -> Option<Wire> {
        tokio::select! {
            biased;
            wire = timeout(self.0.silence, poll_fn(|cx| io.poll_wire(cx))) => return self.chosen(io, wire.ok()).await,
            () = self.left_behind() => {}
        }
        if io.first_bytes().is_empty() {
            return None;
        }
        let wire = self.within(self.0.silence, poll_fn(|cx| io.poll_wire(cx))).await;
        self.chosen(io, wire).await
    }

    async fn left_behind(&self) {
        self.0.drain.reached(Phase::Draining).await;
        self.within(self.0.linger, std::future::pending::<()>()).await;
    }

    async fn chosen<T: Transport>(
        &self,
        io: &mut TimedIo<T>,
        wire: Option<io::Result<Wire>>,
    ) -> Option<Wire> {
        if wire.is_none() && self.0.drain.phase() != Phase::Stopped {
            self.say_nothing_came(io).await;
        }
        wire?.ok()
    }

    async fn say_nothing_came<T: Transport>(&self, io: &mut TimedIo<T>) {
        let silent = io.first_bytes().is_empty();
        self.0.counters.time_out(if silent { Timeout::Silence } else { Timeout::Head }, 1);
        // A part of the HTTP/2 preface is no HTTP/1 request.
        if !silent && !io.first_bytes().starts_with(b"PRI") {
            self.say(io, TIMED_OUT).await;
        }
    }

    /// Not an `async fn`: that would keep room for the arguments beside the connection made of them,
    /// as long as the connection lives.
    fn http1<I, S>(
        &self,
        io: I,
        info: ConnectInfo,
        serve: S,
        state: Arc<ConnState>,
    ) -> impl Future<Output = ()> + Send
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Serve,
    {
        let limits = &self.0.limits;
        let tape = limits.keep_length.then(|| Tape::new(limits.head));
        let info = info.with_closing(self.0.drain.closing());
        let service = service(serve, info, Arc::clone(&state), 0, tape.clone());
        let record = move |read: &[u8]| tape.iter().for_each(|tape| tape.record(read));
        // What stands in front of a stream has been read of it, and so recorded, before.
        let mut parts = (Begun::new(Bytes::new(), InspectReader::new(io, record)), service);
        async move {
            let mut bell = self.0.drain.bell();
            loop {
                let conn = self.0.http1.serve_connection(TokioIo::new(parts.0), parts.1).with_upgrades();
                let mut conn = Box::new(conn);
                let end = self.watch(&mut *conn, &state, &mut bell).await;
                let Some(http1::Parts { io, read_buf, service, .. }) = conn.into_parts() else { return };
                let farewell = match end {
                    End::Idle => None,
                    End::Done(Ok(())) if state.waits.more_may_come() => Some(&b""[..]),
                    End::Done(Err(error)) if error.is_parse() => Some(&b""[..]),
                    End::Late(Timeout::Head) => Some(TIMED_OUT),
                    _ => return,
                };
                let mut io = io.into_inner().into_inner();
                if let Some(farewell) = farewell {
                    return Box::pin(self.say(io.into_inner(), farewell)).await;
                }
                let read = if read_buf.is_empty() {
                    self.rest(&mut io, &state, &mut bell).await
                } else {
                    Some(read_buf)
                };
                let Some(read) = read else { return };
                parts = (Begun::new(read, io), service);
            }
        }
    }

    /// The end of a connection whose client may still be sending; a stop that is final does not wait for it.
    async fn say(&self, io: impl AsyncRead + AsyncWrite + Unpin, farewell: &[u8]) {
        let linger = Linger::new(self.0.linger);
        self.within(linger.silence + linger.longest, say(io, farewell, linger)).await;
    }

    /// Waits without hyper for the next request of an idle connection; closes it where none comes.
    async fn rest<I>(&self, io: &mut I, state: &Arc<ConnState>, bell: &mut Bell) -> Option<Bytes>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let patience = self.0.times.left_idle(&state.look(), clock::now());
        let read = rest(io, state, patience, bell).await;
        if read.is_none() {
            Box::pin(close(io, self.0.linger)).await;
        }
        read
    }

    fn http2<I, S>(
        &self,
        io: I,
        info: ConnectInfo,
        serve: S,
        state: Arc<ConnState>,
    ) -> impl Future<Output = ()> + Send
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Serve,
    {
        let limits = &self.0.limits;
        let io = Frames::new(io, Arc::clone(&state), limits.control_burst, limits.control_rate);
        let service = service(serve, info, Arc::clone(&state), limits.cancel_window.max(1), None);
        let builder = http2_builder(limits, StreamExecutor(Arc::clone(&state)));
        let mut conn = builder.serve_connection(TokioIo::new(io), service);
        async move { drop(self.watch(&mut conn, &state, &mut self.0.drain.bell()).await) }
    }

    /// Runs a connection to its end, and draws the consequences that do not depend on the protocol.
    async fn watch<C>(&self, conn: &mut C, state: &Arc<ConnState>, bell: &mut Bell) -> End
    where
        C: Conn + Unpin,
    {
        let end = watch(Pin::new(conn), state, &self.0.times, bell).await;
        match &end {
            End::Done(Err(error)) => self.note(error, C::WIRE),
            End::Late(Timeout::Write) => state.abort(),
            _ => {}
        }
        end
    }

    /// Counts what hyper refused before the service saw it.
    fn note(&self, error: &hyper::Error, wire: Wire) {
        debug!(%error, ?wire, "connection ended");
        if error.is_parse_too_large() {
            self.0.counters.refuse(Refusal::TooLarge);
        } else if error.is_parse() {
            self.0.counters.refuse(Refusal::BadRequest);
        } else if wire == Wire::Http2 && is_protocol_error(error) {
            self.0.counters.refuse(Refusal::Http2);
        }
    }
}

/// Serves one connection in clear with default settings and no way to stop it but dropping the future:
/// the shortest way to try a service. A real server makes [`Connections`] once.
pub async fn serve_connection<T: Transport>(transport: T, info: ConnectInfo, serve: impl Serve) {
    Connections::new(&Settings::default(), &Drain::new()).serve(transport, info, serve).await;
}
