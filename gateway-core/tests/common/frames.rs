//! An HTTP/2 client that writes its frames by hand, and can say what no library lets it say.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// What comes back for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Status(u16),
    /// RST_STREAM, or GOAWAY: h2 refuses it, and the gateway never sees it.
    Refused,
}
/// HPACK without tables: an integer with a prefix of 7 bits (RFC 7541 section 5.1).
fn integer(out: &mut Vec<u8>, value: usize) {
    if value < 127 {
        return out.push(u8::try_from(value).unwrap());
    }
    out.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
}

/// Literal fields, never indexed, never squeezed (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        integer(&mut out, name.len());
        out.extend(name.as_bytes());
        integer(&mut out, value.len());
        out.extend(*value);
    }
    out
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A `:status` as h2 writes it first in a block: from the static table, or Huffman-coded digits.
pub fn status(block: &[u8]) -> u16 {
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [_, length, coded @ ..] if length & 0x80 != 0 => {
            let bits: String =
                coded.iter().take(usize::from(length & 0x7f)).map(|byte| format!("{byte:08b}")).collect();
            let (mut rest, mut number) = (bits.as_str(), 0);
            for _ in 0..3 {
                let five = u16::from_str_radix(&rest[..5], 2).unwrap();
                let (digit, used) =
                    if five < 3 { (five, 5) } else { (u16::from_str_radix(&rest[..6], 2).unwrap() - 22, 6) };
                number = number * 10 + digit;
                rest = &rest[used..];
            }
            number
        }
        [_, 3, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        other => panic!("no status in {other:x?}"),
    }
}

/// A client that writes frames by hand.
pub struct Frames {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Frames {
    pub async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat();
        stream.write_all(&hello).await.unwrap();
        Self { stream, read: Vec::new() }
    }

    /// A whole request.
    pub async fn send(&mut self, stream: u32, fields: &[(&str, &[u8])], body: Option<&[u8]>) {
        let mut bytes = frame(1, if body.is_some() { 4 } else { 5 }, stream, &block(fields));
        if let Some(body) = body {
            bytes.extend(frame(0, 1, stream, body));
        }
        let _ = self.stream.write_all(&bytes).await;
    }

    pub async fn frame(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            if let [a, b, c, kind, _, s1, s2, s3, s4, rest @ ..] = self.read.as_slice() {
                let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if let Some(payload) = rest.get(..length) {
                    let whole = (*kind, u32::from_be_bytes([*s1, *s2, *s3, *s4]), payload.to_vec());
                    self.read.drain(..9 + length);
                    return Some(whole);
                }
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("in time");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    pub async fn outcome(&mut self, wanted: u32) -> Outcome {
        while let Some((kind, stream, payload)) = self.frame().await {
            match kind {
                1 if stream == wanted => return Outcome::Status(status(&payload)),
                3 if stream == wanted => return Outcome::Refused,
                7 if payload[4..8] != [0; 4] => return Outcome::Refused,
                _ => {}
            }
        }
        Outcome::Refused
    }
}

impl Frames {
    /// Answers a PING.
    pub async fn ping_back(&mut self, payload: &[u8]) -> bool {
        self.stream.write_all(&frame(6, 1, 0, payload)).await.is_ok()
    }
}
