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

/// Says something past hyper, closes, and reads on for a while: a close with bytes unread makes the
/// kernel send RST, which may take the answer from the client before he reads it (RFC 9112 9.6).
pub(super) async fn say(mut io: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8], patience: Duration) {
    let farewell = async {
        io.write_all(bytes).await?;
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(64 << 10), &mut tokio::io::sink()).await
    };
    // One that does not take it is closed all the same.
    let _ = timeout(patience, farewell).await;
}

/// Refuses a connection in clear.
pub(super) async fn refuse(transport: impl Transport) {
    say(transport, UNAVAILABLE, Duration::from_millis(100)).await;
}
