//! Bytes both ways after an upgrade.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional},
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    download::Lease,
    rules::Permits,
    websocket::{Frames, goodbye, masked_goodbye},
};
use crate::Closing;

/// How long nothing may come once one side has ended.
const LINGER: Duration = Duration::from_secs(10);

/// How long a goodbye may take.
const PARTING: Duration = Duration::from_millis(300);

/// The upstream's side of an upgraded connection: among the extensions of the 101 that
/// [`Backend::forward`](super::Backend::forward) gives. Its endpoint counts it for as long as this is there.
#[derive(Clone)]
pub struct Switched {
    lease: Arc<Mutex<Option<Lease>>>,
    /// Given back when the connection is over.
    held: Option<Arc<Permits>>,
}

impl Switched {
    pub(crate) fn new(lease: Lease) -> Self {
        Self { lease: Arc::new(Mutex::new(Some(lease))), held: None }
    }

    /// Keeps `permits` for as long as the connection lasts.
    pub(super) fn hold(&mut self, permits: Permits) {
        self.held = Some(Arc::new(permits));
    }

    /// Extensions are cloned, a connection is not: the first one has it.
    fn take(&self) -> Option<Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Switched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switched").finish_non_exhaustive()
    }
}

/// Carries bytes between two upgraded connections until both directions have ended, either one fails, or
/// nothing has come from either side for `idle`. Once one side has ended, 10 s without a byte from the other
/// are enough. `closing` is for WebSockets: when it comes, both ends are told that the gateway goes away (RFC 6455
/// section 7.4.1, 1001), and the tunnel ends.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::upstream::{Switched, tunnel};
/// use http::{Request, Response};
/// # use gateway_core::Body;
///
/// /// Joins what `request` came on with the upstream that has answered it with `response`.
/// fn join(request: &mut Request<Body>, response: &mut Response<Body>) {
///     let from_client = hyper::upgrade::on(request);
///     if let Some(from_upstream) = response.extensions_mut().remove::<Switched>() {
///         tokio::spawn(tunnel(from_client, from_upstream, Duration::from_secs(60), None));
///     }
/// }
/// ```
///
/// # Errors
/// If an upgrade does not come about, or a connection fails.
pub async fn tunnel(
    client: OnUpgrade,
    upstream: Switched,
    idle: Duration,
    closing: Option<Closing>,
) -> io::Result<()> {
    let client = client.await.map_err(io::Error::other)?;
    let mut lease = upstream.take().ok_or(io::ErrorKind::NotConnected)?;
    relay(TokioIo::new(client), &mut lease.connection.wire, idle, closing).await
}

async fn relay<C, U>(client: C, upstream: U, idle: Duration, closing: Option<Closing>) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Arc::new(Activity::new());
    let mut client = Noticed::new(client, &activity);
    let mut upstream = Noticed::new(upstream, &activity);
    let half_closed = async {
        activity.ended.notified().await;
        activity.ceased(LINGER).await;
    };
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut upstream) => copied.map(drop),
        () = activity.ceased(idle) => Err(io::ErrorKind::TimedOut.into()),
        () = half_closed => Err(io::ErrorKind::TimedOut.into()),
        () = comes(closing) => {
            let (to_client, to_upstream) = (goodbye(), masked_goodbye(fastrand::u32(..).to_ne_bytes()));
            let told = async { tokio::join!(client.end(&to_client), upstream.end(&to_upstream)) };
            // Nobody is left to be told of a failure.
            let _ = timeout(PARTING, told).await;
            Ok(())
        }
    }
}

async fn comes(closing: Option<Closing>) {
    match closing {
        Some(closing) => closing.comes().await,
        None => std::future::pending().await,
    }
}

/// When something last came.
struct Activity {
    began: Instant,
    last: AtomicU64,
    /// Told once a side sends no more.
    ended: Notify,
}

impl Activity {
    fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0), ended: Notify::new() }
    }

    fn notice(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Ready once nothing has come for `idle`.
    async fn ceased(&self, idle: Duration) {
        loop {
            let last = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed));
            match idle.checked_sub(last.elapsed()) {
                Some(rest) if !rest.is_zero() => sleep(rest).await,
                _ => return,
            }
        }
    }
}

/// A stream whose reads are noticed, and the frames that are written to it.
struct Noticed<I> {
    io: I,
    activity: Arc<Activity>,
    sent: Frames,
}

impl<I: AsyncWrite + Unpin> Noticed<I> {
    fn new(io: I, activity: &Arc<Activity>) -> Self {
        Self { io, activity: Arc::clone(activity), sent: Frames::default() }
    }

    /// Ends the stream, with a last frame unless one has been begun and will never be whole.
    async fn end(&mut self, last: &[u8]) -> io::Result<()> {
        if self.sent.at_boundary() {
            self.io.write_all(last).await?;
        }
        self.io.shutdown().await
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noticed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.remaining();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        self.activity.notice();
        if buf.remaining() == before {
            self.activity.ended.notify_one();
        }
        Poll::Ready(read)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noticed<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        if let Ok(written) = written {
            self.sent.pass(bytes.get(..written).unwrap_or_default());
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::JoinHandle,
    };

    use super::*;

    const IDLE: Duration = Duration::from_secs(3600);

    /// Both far ends of a tunnel.
    fn tunnelled() -> (DuplexStream, DuplexStream, JoinHandle<io::Result<()>>) {
        let ((client, ours), (upstream, theirs)) = (duplex(64), duplex(64));
        (client, upstream, tokio::spawn(relay(ours, theirs, IDLE, None)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_side_has_ended_lingers_for_a_short_time() {
        for client_ends in [true, false] {
            let (mut client, mut upstream, relaying) = tunnelled();
            let (ends, stays) =
                if client_ends { (&mut client, &mut upstream) } else { (&mut upstream, &mut client) };
            let began = Instant::now();
            ends.shutdown().await.unwrap();
            assert_eq!(stays.read(&mut [0; 8]).await.unwrap(), 0);
            // What still comes is carried, and begins the time anew.
            for _ in 0..3 {
                sleep(LINGER - Duration::from_secs(1)).await;
                stays.write_all(b"x").await.unwrap();
                assert_eq!(ends.read(&mut [0; 8]).await.unwrap(), 1);
            }
            let error = relaying.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed().as_secs(), 3 * 9 + LINGER.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_was_begun_gets_no_goodbye_inside_it() {
        for (begun, told) in
            [(&b"\x82\x05ab"[..], &b"\x82\x05ab"[..]), (b"\x82\x01a", b"\x82\x01a\x88\x02\x03\xe9")]
        {
            let ((mut client, ours), (mut upstream, theirs)) = (duplex(64), duplex(64));
            let (cut, closing) = tokio::sync::watch::channel(false);
            let relaying = tokio::spawn(relay(ours, theirs, IDLE, Some(closing.into())));
            upstream.write_all(begun).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            cut.send_replace(true);
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, told);
            relaying.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_both_keep_open_has_the_whole_time() {
        let (_client, _upstream, relaying) = tunnelled();
        let began = Instant::now();
        assert_eq!(relaying.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), IDLE.as_secs());
    }
}
