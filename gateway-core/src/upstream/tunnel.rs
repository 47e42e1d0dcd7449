//! Bytes both ways after an upgrade.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    time::sleep,
};

use super::download::Lease;

/// What an upgraded connection holds: its endpoint counts it for as long as this is there. The 101 that
/// [`Backend::forward`](super::Backend::forward) gives carries it among its extensions.
#[derive(Clone)]
pub(crate) struct Held(#[expect(dead_code, reason = "kept for its drop")] Arc<Lease>);

impl Held {
    pub(crate) fn new(lease: Lease) -> Self {
        Self(Arc::new(lease))
    }
}

/// Carries bytes between two upgraded connections until both directions have ended, either one fails, or
/// nothing has come from either side for `idle`.
///
/// A 101 from [`Backend::forward`](super::Backend::forward) keeps its endpoint's count up: hold its parts for
/// as long as the tunnel lives.
///
/// ```
/// use std::time::Duration;
/// use gateway_core::upstream::tunnel;
/// # use http::{Request, Response};
/// # use http_body_util::Empty;
/// # use hyper::{body::Incoming, client, server, service::service_fn};
/// # use hyper_util::rt::TokioIo;
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let (mut browser, ours) = duplex(1024);
/// # let (mut chat, theirs) = duplex(1024);
/// # let (sender, mut upgrades) = tokio::sync::mpsc::channel(1);
/// # let answer = service_fn(move |request: Request<Incoming>| {
/// #     let sent = sender.try_send(hyper::upgrade::on(request)).is_ok();
/// #     let switch = Response::builder().status(101).header("upgrade", "chat").header("connection", "upgrade");
/// #     async move { assert!(sent); switch.body(Empty::<bytes::Bytes>::new()) }
/// # });
/// # tokio::spawn(server::conn::http1::Builder::new().serve_connection(TokioIo::new(ours), answer).with_upgrades());
/// # browser.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: chat\r\nconnection: upgrade\r\n\r\n").await.unwrap();
/// # let (mut upstream, driver) = client::conn::http1::handshake(TokioIo::new(theirs)).await.unwrap();
/// # tokio::spawn(driver.with_upgrades());
/// # let asked = tokio::spawn(upstream.send_request(Request::new(Empty::<bytes::Bytes>::new())));
/// # chat.read(&mut [0; 512]).await.unwrap();
/// # chat.write_all(b"HTTP/1.1 101 Go\r\nupgrade: chat\r\nconnection: upgrade\r\n\r\nhello").await.unwrap();
/// # let response = asked.await.unwrap().unwrap();
/// # let request = upgrades.recv().await.unwrap();
/// let from_upstream = hyper::upgrade::on(response);
/// let from_client = request; // hyper::upgrade::on(request), taken before the 101 was sent
/// tokio::spawn(tunnel(from_client, from_upstream, Duration::from_secs(60)));
/// # let mut read = Vec::new();
/// # while !read.ends_with(b"hello") { browser.read_buf(&mut read).await.unwrap(); }
/// # });
/// ```
///
/// # Errors
/// If an upgrade does not come about, or a connection fails.
pub async fn tunnel(client: OnUpgrade, upstream: OnUpgrade, idle: Duration) -> io::Result<()> {
    let (client, upstream) = tokio::try_join!(client, upstream).map_err(io::Error::other)?;
    let activity = Arc::new(Activity::new());
    let mut client = Noticed { io: TokioIo::new(client), activity: Arc::clone(&activity) };
    let mut upstream = Noticed { io: TokioIo::new(upstream), activity: Arc::clone(&activity) };
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut upstream) => copied.map(drop),
        () = activity.ceased(idle) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// When something last came.
struct Activity {
    began: Instant,
    last: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
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
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        self.activity.notice();
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
