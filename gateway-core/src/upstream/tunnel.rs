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
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    sync::Notify,
    time::{Instant, sleep},
};

use super::download::Lease;

/// How long nothing may come once one side has ended.
const LINGER: Duration = Duration::from_secs(10);

/// The upstream's side of an upgraded connection: among the extensions of the 101 that
/// [`Backend::forward`](super::Backend::forward) gives. Its endpoint counts it for as long as this is there.
#[derive(Clone)]
pub struct Switched(Arc<Mutex<Option<Lease>>>);

impl Switched {
    pub(crate) fn new(lease: Lease) -> Self {
        Self(Arc::new(Mutex::new(Some(lease))))
    }

    /// Extensions are cloned, a connection is not: the first one has it.
    fn take(&self) -> Option<Lease> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Switched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switched").finish_non_exhaustive()
    }
}

/// Carries bytes between two upgraded connections until both directions have ended, either one fails, or
/// nothing has come from either side for `idle`. Once one side has ended, 10 s without a byte from the other
/// are enough.
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
///         tokio::spawn(tunnel(from_client, from_upstream, Duration::from_secs(60)));
///     }
/// }
/// ```
///
/// # Errors
/// If an upgrade does not come about, or a connection fails.
pub async fn tunnel(client: OnUpgrade, upstream: Switched, idle: Duration) -> io::Result<()> {
    let client = client.await.map_err(io::Error::other)?;
    let mut lease = upstream.take().ok_or(io::ErrorKind::NotConnected)?;
    relay(TokioIo::new(client), &mut lease.connection.wire, idle).await
}

async fn relay<C, U>(client: C, upstream: U, idle: Duration) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Arc::new(Activity::new());
    let mut client = Noticed { io: client, activity: Arc::clone(&activity) };
    let mut upstream = Noticed { io: upstream, activity: Arc::clone(&activity) };
    let half_closed = async {
        activity.ended.notified().await;
        activity.ceased(LINGER).await;
    };
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut upstream) => copied.map(drop),
        () = activity.ceased(idle) => Err(io::ErrorKind::TimedOut.into()),
        () = half_closed => Err(io::ErrorKind::TimedOut.into()),
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

/// A stream whose reads are noticed.
struct Noticed<I> {
    io: I,
    activity: Arc<Activity>,
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
        Pin::new(&mut self.io).poll_write(cx, bytes)
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
        (client, upstream, tokio::spawn(relay(ours, theirs, IDLE)))
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
    async fn a_tunnel_that_both_keep_open_has_the_whole_time() {
        let (_client, _upstream, relaying) = tunnelled();
        let began = Instant::now();
        assert_eq!(relaying.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), IDLE.as_secs());
    }
}
