//! Last words, said past hyper.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::timed_io::Transport;

/// The answer to a connection over the limit.
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// The answer to a head that does not come to its end (RFC 9110 15.5.9).
pub(super) const TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Bytes that are read at a time and thrown away.
const UNWANTED: usize = 16 << 10;

/// Says something past hyper, closes, and hears the client out: a close with bytes unread, or with more to come, makes
/// the kernel send RST, which may take the answer from the client before he reads it (RFC 9112 9.6).
pub(super) async fn say(mut io: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8], linger: Linger) {
    let said = async {
        io.write_all(bytes).await?;
        io.shutdown().await
    };
    // One that does not take it is closed all the same.
    if let Ok(Ok(())) = timeout(linger.silence, said).await {
        hear_out(io, linger).await;
    }
}

/// Reads what the client still sends, until it closes too.
async fn hear_out(mut io: impl AsyncRead + Unpin, linger: Linger) {
    let mut unwanted = vec![0; UNWANTED];
    let heard = async { while let Ok(Ok(1..)) = timeout(linger.silence, io.read(&mut unwanted)).await {} };
    let _ = timeout(linger.longest, heard).await;
}

/// How long a client is heard out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linger {
    /// With nothing coming.
    pub(super) silence: Duration,
    /// At all.
    pub(super) longest: Duration,
}

impl Linger {
    /// Ten times the silence: an upload that goes on after its answer gets to see the answer.
    pub(super) const fn new(silence: Duration) -> Self {
        Self { silence, longest: silence.saturating_mul(10) }
    }
}

/// Refuses a connection in clear.
pub(super) async fn refuse(transport: impl Transport) {
    const SHORT: Duration = Duration::from_millis(100);
    say(transport, UNAVAILABLE, Linger { silence: SHORT, longest: SHORT }).await;
}
