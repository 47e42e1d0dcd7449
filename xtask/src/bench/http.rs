//! A raw HTTP/1.1 client on one kept-open connection: as cheap as can be, because it shares a core with the upstream.

use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// One response, borrowed from its connection.
pub(crate) struct Response<'a> {
    /// The status line and the fields.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a GET and waits for the whole answer, which must have a Content-Length.
    ///
    /// Not cancel safe: after a dropped call the connection is of no use.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Response<'_>> {
        self.get_with(path, None).await
    }

    /// The same with one more field.
    pub(crate) async fn get_with(&mut self, path: &str, field: Option<&str>) -> Result<Response<'_>> {
        let field = field.map_or_else(String::new, |field| format!("{field}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench.test:8000\r\n{field}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.received.clear();
        let head = loop {
            self.more().await?;
            if let Some(at) = memmem::find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let length = head + content_length(self.received.get(..head).unwrap_or_default())?;
        while self.received.len() < length {
            self.more().await?;
        }
        let (head, body) = self.received.split_at(head);
        Ok(Response { head, body })
    }

    async fn more(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the connection was closed before the answer was complete".into()),
            _ => Ok(()),
        }
    }
}

impl Response<'_> {
    /// # Errors
    /// Any answer but a 200, with its status line.
    pub(crate) fn ok(self) -> Result<Self> {
        if self.head.starts_with(b"HTTP/1.1 200") {
            return Ok(self);
        }
        let head = String::from_utf8_lossy(self.head);
        Err(format!("the answer was not a 200: {}", head.lines().next().unwrap_or_default()).into())
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then(|| str::from_utf8(value).ok()?.trim().parse().ok())?
    });
    length.ok_or_else(|| "the answer has no Content-Length".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_length_is_found_in_any_case() {
        let head = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-Length: 1024\r\nVia: 1.1 x\r\n\r\n";
        assert_eq!(content_length(head).unwrap(), 1024);
    }

    #[test]
    fn an_answer_without_length_is_an_error() {
        assert!(content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
