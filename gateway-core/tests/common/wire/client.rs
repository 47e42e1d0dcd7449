//! A client that sends what it likes.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    PATIENCE,
    reading::{Framing, Wire, field},
};

/// One answer as a client read it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// A client of raw bytes.
pub struct Client<I = TcpStream> {
    io: I,
    wire: Wire,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub fn new(io: I) -> Self {
        Self { io, wire: Wire::default() }
    }

    /// Sends; the other end may have closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(timeout(PATIENCE, self.io.write_all(bytes.as_ref())).await, Ok(Ok(())))
    }

    /// The next final answer; none where the connection ends before one is complete.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head = loop {
            let head = self.wire.head(&mut self.io).await?;
            if !head.starts_with("HTTP/1.1 100 ") {
                break head;
            }
        };
        let mut body = Vec::new();
        self.wire.body(&mut self.io, Framing::of_answer(&head, method == "HEAD"), &mut body).await?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Some(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Sends a plain request and reads its answer.
    pub async fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: canary.example\r\n\r\n")).await;
        self.answer().await
    }

    /// Whether the other end closes soon; what came before it does.
    pub async fn closes(&mut self) -> Option<Vec<u8>> {
        let closed = async { while self.wire.more(&mut self.io).await.is_some() {} };
        timeout(Duration::from_secs(3), closed).await.ok()?;
        Some(std::mem::take(&mut self.wire.bytes))
    }

    pub fn into_inner(self) -> I {
        self.io
    }
}
