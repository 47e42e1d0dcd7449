use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

use super::{ProxyHead, SIGNATURE};

/// Gives at most so many bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl AsyncRead for Drops<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(self.1).min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// What is read of `bytes` that come in pieces of `size`, and what is left of them.
fn read_by(bytes: &[u8], size: usize) -> (Result<Option<SocketAddr>, ErrorKind>, &[u8]) {
    let mut drops = Drops(bytes, size);
    let head = at_once(ProxyHead::read(&mut drops));
    (head.map(|head| head.source).map_err(|error| error.kind()), drops.0)
}

/// These readers never wait.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match std::pin::pin!(work).poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// What is read of `head`, with bytes behind it that have to stay, in pieces of any size.
fn read(head: &[u8]) -> Result<Option<SocketAddr>, ErrorKind> {
    let stream = [head, b"GET / HTTP/1.1\r\n\r\n"].concat();
    let (whole, rest) = read_by(&stream, usize::MAX);
    if whole.is_ok() {
        assert_eq!(rest, &stream[head.len()..], "{head:?}");
    }
    for size in 1..4 {
        assert_eq!(read_by(&stream, size).0, whole, "{head:?}");
    }
    whole
}

fn version_2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

fn source(text: &str) -> Result<Option<SocketAddr>, ErrorKind> {
    Ok(Some(text.parse().unwrap()))
}

const V4: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 1, 187];

#[test]
fn h6_a_line_tells_the_source() {
    assert_eq!(read(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n"), source("192.0.2.7:5000"));
    assert_eq!(read(b"PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n"), source("1.1.1.1:0"));
    assert_eq!(read(b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 1\r\n"), source("[2001:db8::7]:65535"));
    assert_eq!(read(b"PROXY TCP6 :: :: 1 1\r\n"), source("[::]:1"));
    let longest = [
        b"PROXY TCP6 ",
        &b"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 "[..],
        b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 1 65535\r\n",
    ];
    assert_eq!(longest.concat().len(), 106);
    assert_eq!(read(&longest.concat()), source("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1"));
}

#[test]
fn h6_a_line_may_tell_nothing() {
    assert_eq!(read(b"PROXY UNKNOWN\r\n"), Ok(None));
    assert_eq!(read(b"PROXY UNKNOWN ffff::1 \xff\0 65535 65535\r\n"), Ok(None));
    assert_eq!(read(&[b"PROXY UNKNOWN ", &[b'x'; 91][..], b"\r\n"].concat()), Ok(None));
}

#[test]
fn h6_what_is_no_line_is_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 192.0.2.7 192.0.2.1 5000 443\r\n",
        "PROXY\r\n               ",
        "PROXY \r\n               ",
        "PROXY UDP4 192.0.2.7 192.0.2.1 5000 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN 1\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 5000\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443 \r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\n",
        "PROXY TCP4  192.0.2.7 192.0.2.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.07 192.0.2.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2 5000 443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 5000 443\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 +5000 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 05000 443\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 5000 65536\r\n",
        "PROXY TCP4 192.0.2.7\t192.0.2.1 5000 443\r\n",
    ] {
        assert_eq!(read(line.as_bytes()), Err(ErrorKind::InvalidData), "{line:?}");
    }
    let endless = [b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat();
    assert_eq!(read(&endless), Err(ErrorKind::InvalidData));
}

#[test]
fn h6_version_2_tells_the_source_and_what_else_it_says_is_passed_over() {
    assert_eq!(read(&version_2(0x21, 0x11, &V4)), source("192.0.2.7:5000"));
    let mut v6 = [0; 36];
    (v6[0], v6[15], v6[31], v6[33]) = (0x20, 7, 1, 9);
    assert_eq!(read(&version_2(0x21, 0x21, &v6)), source("[2000::7]:9"));
    let with_tlvs = [&V4[..], &[0x20; 4096 - 28]].concat();
    assert_eq!(read(&version_2(0x21, 0x11, &with_tlvs)), source("192.0.2.7:5000"));
    assert_eq!(read(&version_2(0x21, 0x11, &[&with_tlvs[..], b"x"].concat())), Err(ErrorKind::InvalidData));
}

#[test]
fn h6_version_2_may_tell_of_nobody() {
    // A health check of the proxy's own, with whatever it says beside that.
    for family in [0, 0x11, 0xff] {
        assert_eq!(read(&version_2(0x20, family, &V4)), Ok(None));
        assert_eq!(read(&version_2(0x20, family, b"")), Ok(None));
    }
    // No address, datagrams, paths.
    for family in [0, 1, 2, 0x12, 0x22, 0x31, 0x32] {
        assert_eq!(read(&version_2(0x21, family, &[b'/'; 216])), Ok(None));
        assert_eq!(read(&version_2(0x21, family, b"")), Ok(None));
    }
}

#[test]
fn h6_what_version_2_does_not_know_is_refused() {
    for (command, family, block) in [
        (0x11, 0x11, &V4[..]),
        (0x22, 0x11, &V4),
        (0x21, 0x13, &V4),
        (0x21, 0x41, &V4),
        (0x21, 0x11, &V4[..11]),
        (0x21, 0x21, &V4),
        (0x21, 0x11, b""),
    ] {
        assert_eq!(
            read(&version_2(command, family, block)),
            Err(ErrorKind::InvalidData),
            "{command:x} {family:x}"
        );
    }
}

#[test]
fn h6_a_head_that_ends_early_is_told_apart() {
    for whole in [&b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n"[..], &version_2(0x21, 0x11, &[0; 40])] {
        for end in 0..whole.len() {
            assert_eq!(read_by(&whole[..end], usize::MAX).0, Err(ErrorKind::UnexpectedEof), "{end}");
        }
    }
}

/// Found by fuzzing: in pieces it was refused where it could not end any more, in one piece it ended early.
#[test]
fn h6_a_line_with_no_room_for_its_end_is_the_same_in_any_pieces() {
    let mut line = [b"PROXY TCP6", &[0; 86][..], b" :: 1 1"].concat();
    for (more, kind) in [(&b""[..], ErrorKind::UnexpectedEof), (b"1111", ErrorKind::InvalidData)] {
        line.extend(more);
        for size in [1, 2, 3, 50, usize::MAX] {
            assert_eq!(read_by(&line, size).0, Err(kind), "{} bytes by {size}", line.len());
        }
    }
}

proptest! {
    #[test]
    fn h6_how_a_line_comes_in_does_not_matter(
        line in "PROXY (TCP4 |TCP6 |UNKNOWN )?[ 1:.x]{0,110}(\r\n)?",
        size in 1..64_usize,
    ) {
        let (whole, rest) = read_by(line.as_bytes(), usize::MAX);
        let (again, left) = read_by(line.as_bytes(), size);
        prop_assert_eq!(&whole, &again);
        if whole.is_ok() {
            prop_assert_eq!(rest, left);
        }
    }

    #[test]
    fn h6_what_is_written_is_read(ip: IpAddr, port: u16, to: u16, tlvs in 0..200_usize, size in 1..64_usize) {
        let head = match ip {
            IpAddr::V4(ip) => {
                let block = [&ip.octets()[..], &[9; 4], &port.to_be_bytes(), &to.to_be_bytes(), &vec![4; tlvs]];
                version_2(0x21, 0x11, &block.concat())
            }
            IpAddr::V6(ip) => {
                let block = [&ip.octets()[..], &[9; 16], &port.to_be_bytes(), &to.to_be_bytes(), &vec![4; tlvs]];
                version_2(0x21, 0x21, &block.concat())
            }
        };
        let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!("PROXY {family} {ip} {ip} {port} {to}\r\n").into_bytes();
        for head in [head, line] {
            let stream = [&head[..], b"PROXY"].concat();
            let (read, rest) = read_by(&stream, size);
            prop_assert_eq!(read, Ok(Some(SocketAddr::new(ip, port))));
            prop_assert_eq!(rest, b"PROXY");
        }
    }
}
