//! The PROXY protocol.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use gateway_core::server::ProxyHead;
use tokio::io::{AsyncRead, ReadBuf};

/// What stands before a connection through a proxy: the same in one piece and byte by byte, nothing read that is not
/// part of it, and nothing that comes later changes it.
pub fn proxy(data: &[u8]) {
    let mut rest = data;
    let head = at_once(ProxyHead::read(&mut rest));
    let mut slow = ByteByByte(data);
    let again = at_once(ProxyHead::read(&mut slow));
    let kinds = [&head, &again].map(|head| head.as_ref().map_err(std::io::Error::kind).copied());
    assert_eq!(kinds[0], kinds[1]);
    let Ok(head) = head else { return };
    assert_eq!(rest.len(), slow.0.len());
    let taken = &data[..data.len() - rest.len()];
    assert!((15..=4096).contains(&taken.len()) && (taken[0] == b'\r' || taken.ends_with(b"\r\n")));
    let longer = [taken, b"PROXY UNKNOWN\r\n\x01"].concat();
    let mut behind = &longer[..];
    assert_eq!(at_once(ProxyHead::read(&mut behind)).expect("the same head"), head);
    assert_eq!(behind.len(), longer.len() - taken.len());
    let Some(source) = head.source else { return };
    let family = if source.is_ipv4() { 4 } else { 6 };
    let line = format!("PROXY TCP{family} {0} {0} {1} {1}\r\n", source.ip(), source.port());
    assert_eq!(at_once(ProxyHead::read(&mut line.as_bytes())).expect("a head as it is written"), head);
}

/// Gives one byte at a time.
struct ByteByByte<'a>(&'a [u8]);

impl AsyncRead for ByteByByte<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(1).min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// What never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}
