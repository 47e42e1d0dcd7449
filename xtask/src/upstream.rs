//! The upstream of the benches: the lightest HTTP/1.1 server that keeps connections open, because it shares a
//! core with the load generator.
//!
//! It answers heads only: a request with a body is not its business.

use std::net::Ipv4Addr;

use clap::Args;
use memchr::memmem;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Result;

/// How long the fixed body is, in bytes.
pub(crate) const BODY: usize = 1024;
/// A head longer than this ends the connection.
const HEAD: usize = 16 * 1024;

/// Serve a fixed 1 KiB answer on loopback ports: the upstream of the benches
#[derive(Args)]
pub(crate) struct Upstream {
    /// The ports to listen on, one target each
    #[arg(long, value_delimiter = ',', default_values_t = [19101, 19102])]
    ports: Vec<u16>,
    /// Answer with the request head as it came in, to see what a proxy sends on
    #[arg(long)]
    echo: bool,
}

impl Upstream {
    pub(crate) async fn run(self) -> Result<()> {
        let answer = if self.echo { Answer::Echo } else { Answer::Fixed };
        let mut listeners = JoinSet::new();
        for port in self.ports {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .await
                .map_err(|error| format!("upstream cannot listen on port {port}: {error}"))?;
            listeners.spawn(accept(listener, answer));
        }
        while let Some(ended) = listeners.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// What every request gets.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// 1 KiB, always the same.
    Fixed,
    /// The request head as it came in.
    Echo,
}

/// Serves all connections of a listener, without end.
pub(crate) async fn accept(listener: TcpListener, answer: Answer) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A broken connection is the client's affair.
        tokio::spawn(async move {
            let _ = serve(stream, answer).await;
        });
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) -> io::Result<()> {
    let fixed = response(&[b'x'; BODY]);
    let end = memmem::Finder::new(b"\r\n\r\n");
    let mut received = Vec::with_capacity(HEAD);
    while received.len() < HEAD && stream.read_buf(&mut received).await? > 0 {
        while let Some(at) = end.find(&received) {
            let head = at + 4;
            match answer {
                Answer::Fixed => stream.write_all(&fixed).await?,
                Answer::Echo => {
                    let echo = response(received.get(..head).unwrap_or_default());
                    stream.write_all(&echo).await?;
                }
            }
            received.drain(..head);
        }
    }
    Ok(())
}

/// The fields of an ordinary origin. `Date` is fixed: it only has to be there.
fn response(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(answer: Answer, pieces: &[&str]) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, answer));
        let mut stream = TcpStream::connect(address).await.unwrap();
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        server.abort();
        answers
    }

    #[tokio::test]
    async fn a_head_in_pieces_is_echoed_whole() {
        let answer = answered(Answer::Echo, &["GET / HTTP/1.1\r\nHo", "st: a\r\n\r", "\n"]).await;
        assert!(answer.ends_with("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn two_requests_in_one_piece_get_two_answers() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let answers = answered(Answer::Fixed, &[&request.repeat(2)]).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
        assert_eq!(answers.matches('x').count(), 2 * BODY);
    }
}
