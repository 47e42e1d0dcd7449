//! How both ends read messages off a connection: a parser of its own, stricter and simpler than the gateway's.

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use super::PATIENCE;

/// How the body of a message ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
    Close,
}

pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl Framing {
    pub(super) fn of_request(head: &str) -> Self {
        match (field(head, "transfer-encoding"), field(head, "content-length")) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length.parse().unwrap()),
            (None, None) => Self::None,
        }
    }

    pub(super) fn of_answer(head: &str, to_head: bool) -> Self {
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        if to_head || matches!(status, 100..=199 | 204 | 304) {
            return Self::None;
        }
        match Self::of_request(head) {
            Self::None => Self::Close,
            framing => framing,
        }
    }
}

/// What has been read from a connection and not been used.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) bytes: Vec<u8>,
}

impl Wire {
    pub(super) async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
        let read = timeout(PATIENCE, stream.read_buf(&mut self.bytes)).await.ok()?.ok()?;
        (read > 0).then_some(())
    }

    /// Up to the empty line, without it.
    pub(super) async fn head(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.bytes.drain(..end + 4).take(end).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.more(stream).await?;
        }
    }

    async fn exactly(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        length: usize,
        body: &mut Vec<u8>,
    ) -> Option<()> {
        let mut left = length;
        loop {
            let now = left.min(self.bytes.len());
            body.extend(self.bytes.drain(..now));
            left -= now;
            if left == 0 {
                return Some(());
            }
            self.more(stream).await?;
        }
    }

    async fn line(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = self.bytes.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).ok();
            }
            self.more(stream).await?;
        }
    }

    pub(super) async fn body(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        framing: Framing,
        body: &mut Vec<u8>,
    ) -> Option<()> {
        match framing {
            Framing::None => Some(()),
            Framing::Length(length) => self.exactly(stream, length, body).await,
            Framing::Close => {
                while self.more(stream).await.is_some() {}
                body.append(&mut self.bytes);
                Some(())
            }
            Framing::Chunked => loop {
                let size = usize::from_str_radix(&self.line(stream).await?, 16).ok()?;
                if size == 0 {
                    while !self.line(stream).await?.is_empty() {}
                    return Some(());
                }
                self.exactly(stream, size, body).await?;
                self.line(stream).await.filter(String::is_empty)?;
            },
        }
    }
}
