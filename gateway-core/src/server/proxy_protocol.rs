//! The PROXY protocol, versions 1 and 2: whom a proxy that passes bytes on has taken them from
//! (`proxy-protocol.txt` of HAProxy; nginx's bound on the length).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What stands before the first byte of a connection that came through a proxy.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use gateway_core::server::ProxyHead;
///
/// let mut stream = &b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\n"[..];
/// let head = ProxyHead::read(&mut stream).await?;
/// assert_eq!(head.source, Some("192.0.2.7:5000".parse().unwrap()));
/// assert!(stream.starts_with(b"GET"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyHead {
    /// Who has connected to the proxy. None where the proxy speaks for itself (a health check: `LOCAL` or
    /// `UNKNOWN`), or where that is no address of TCP.
    pub source: Option<SocketAddr>,
}

/// The longest head, bytes: more is refused.
const LONGEST: usize = 4096;

/// The longest line of version 1.
const LONGEST_LINE: usize = 107;

/// `PROXY UNKNOWN\r\n`. No head of version 2 is shorter.
const SHORTEST: usize = 15;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";

impl ProxyHead {
    /// Reads a head and not one byte beyond it: what follows, TLS or HTTP, is still in `io`. It has no
    /// patience of its own; its length is bounded.
    ///
    /// # Errors
    /// `InvalidData` where what comes is no such head or one of more than 4,096 bytes; `UnexpectedEof` where it
    /// does not come to its end; what `io` says.
    pub async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut buffer = [0; LONGEST_LINE];
        let mut len = 0;
        let (head, mut rest) = loop {
            match step(buffer.get(..len).unwrap_or_default())? {
                Step::Done { head, rest } => break (head, rest),
                Step::More(wanted) => {
                    // A line too long is one that is full without an end: not one that will be, which would depend
                    // on the pieces it comes in.
                    let end = LONGEST_LINE.min(len + wanted);
                    let place =
                        buffer.get_mut(len..end).filter(|place| !place.is_empty()).ok_or(Malformed)?;
                    len += some(io, place).await?;
                }
            }
        };
        while rest > 0 {
            let place = buffer.get_mut(..rest.min(LONGEST_LINE)).unwrap_or_default();
            rest -= some(io, place).await?;
        }
        Ok(head)
    }
}

/// Reads what is there, at most as much as fits in `place`, at least a byte.
async fn some(io: &mut (impl AsyncRead + Unpin), place: &mut [u8]) -> io::Result<usize> {
    match io.read(place).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

/// Bytes that are no head.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no head of the PROXY protocol")]
struct Malformed;

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// What the bytes so far mean.
enum Step {
    /// At least so many more belong to the head. So many may be read without reading beyond it.
    More(usize),
    /// It is known what the head says; so many more bytes of it say nothing to us.
    Done { head: ProxyHead, rest: usize },
}

fn step(bytes: &[u8]) -> Result<Step, Malformed> {
    let is_binary = begins(bytes, SIGNATURE);
    if !is_binary && !begins(bytes, WORD) {
        return Err(Malformed);
    }
    match SHORTEST.checked_sub(bytes.len()) {
        Some(missing @ 1..) => Ok(Step::More(missing)),
        _ if is_binary => binary(bytes),
        _ if bytes.contains(&b'\n') => Ok(Step::Done { head: ProxyHead { source: line(bytes)? }, rest: 0 }),
        _ => Ok(Step::More(least(bytes))),
    }
}

/// Whether `bytes` is the beginning of `word`, or the other way round.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes.iter().zip(word).all(|(byte, letter)| byte == letter)
}

/// How many bytes an unfinished line has yet to have at least: so that few reads do, and none takes what
/// follows the line.
fn least(line: &[u8]) -> usize {
    let end = if line.ends_with(b"\r") { 1 } else { 2 };
    if !line.starts_with(b"PROXY TCP") {
        return end;
    }
    let begun = usize::from(line.ends_with(b" "));
    match line.iter().filter(|byte| **byte == b' ').count() {
        2 => begun + " :: 1 1\r\n".len(),
        3 => begun + " 1 1\r\n".len(),
        4 => begun + " 1\r\n".len(),
        _ => end,
    }
}

/// The source in a whole line: `PROXY TCP4 192.0.2.7 192.0.2.1 5000 443`.
fn line(line: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    let line = line.strip_prefix(WORD).and_then(|line| line.strip_suffix(b"\r\n")).ok_or(Malformed)?;
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") && !line.contains(&b'\n') {
        return Ok(None);
    }
    let mut fields = str::from_utf8(line).map_err(|_| Malformed)?.split(' ');
    let mut field = || fields.next().ok_or(Malformed);
    let (family, source, destination) = (field()?, field()?, field()?);
    let [source_port, _] = [port(field()?)?, port(field()?)?];
    let [source, _] = match family {
        "TCP4" => [ip::<Ipv4Addr>(source)?, ip::<Ipv4Addr>(destination)?],
        "TCP6" => [ip::<Ipv6Addr>(source)?, ip::<Ipv6Addr>(destination)?],
        _ => return Err(Malformed),
    };
    let source = SocketAddr::new(source, source_port);
    fields.next().is_none().then_some(Some(source)).ok_or(Malformed)
}

fn ip<T: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, Malformed> {
    text.parse::<T>().map(Into::into).map_err(|_| Malformed)
}

/// Digits, without a sign or a zero in front.
fn port(text: &str) -> Result<u16, Malformed> {
    let plain = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| plain).ok_or(Malformed)
}

/// Version 2: signature, version and command, family and transport, length; then addresses, then TLVs.
fn binary(bytes: &[u8]) -> Result<Step, Malformed> {
    const FIXED: usize = 16;
    let Some((fixed, addresses)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Step::More(FIXED - bytes.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let known = match (command, family >> 4, family & 0xf) {
        // Whatever else a local one says does not count.
        (0x20, ..) => 0,
        (0x21, 1, 1) => 12,
        (0x21, 2, 1) => 36,
        // No address, a datagram's, or a path: it is the proxy who counts.
        (0x21, 0..=3, 0..=2) => 0,
        _ => return Err(Malformed),
    };
    if length < known || FIXED + length > LONGEST {
        return Err(Malformed);
    }
    match known.checked_sub(addresses.len()) {
        Some(missing @ 1..) => Ok(Step::More(missing)),
        _ => Ok(Step::Done { head: ProxyHead { source: source(addresses) }, rest: length - known }),
    }
}

/// The source in the addresses of version 2: two addresses, then two ports.
fn source(addresses: &[u8]) -> Option<SocketAddr> {
    let (ip, port): (IpAddr, _) = match addresses.len() {
        12 => (addresses.first_chunk::<4>().copied()?.into(), addresses.get(8..10)?),
        36 => (addresses.first_chunk::<16>().copied()?.into(), addresses.get(32..34)?),
        _ => return None,
    };
    Some((ip, u16::from_be_bytes(port.try_into().ok()?)).into())
}

#[cfg(test)]
mod tests;
