//! A body that a guest reads while it holds the head before it.

use gateway_core::{Body, BoxError};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};

use crate::{Limits, buffer::Buffer, entry::Part, event::Event};

/// What has been read of a body whose head is held, and the rest of it.
pub(crate) struct Held {
    pub(crate) source: Body,
    pub(crate) buffer: Buffer,
    pub(crate) trailers: HeaderMap,
    /// How far it has been read.
    pub(crate) read: Read,
}

/// How far a body has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Partly,
    ToTheEnd,
    ToTheTrailers,
}

/// What happens while a head is held.
pub(crate) enum News {
    Event(Option<Event>),
    /// More of the body has come.
    Body,
    /// The body cannot be read, or there is more of it than may be held.
    Broken(Broken),
    /// Nothing has happened for as long as a message may be held.
    Nothing,
}

/// Why a body is not read any further.
pub(crate) enum Broken {
    Unreadable(BoxError),
    TooLarge,
}

impl Held {
    pub(crate) fn new(source: Body) -> Self {
        Self { source, buffer: Buffer::default(), trailers: HeaderMap::new(), read: Read::Partly }
    }

    /// What the guest sees of it.
    pub(crate) fn part(&mut self) -> Part<'_> {
        let end = self.read != Read::Partly;
        Part { buffer: &mut self.buffer, trailers: &mut self.trailers, end }
    }

    fn take(
        &mut self,
        frame: Option<Result<Frame<bytes::Bytes>, BoxError>>,
        most: usize,
    ) -> Result<(), Broken> {
        match frame.transpose().map_err(Broken::Unreadable)?.map(Frame::into_data) {
            None => self.read = Read::ToTheEnd,
            Some(Ok(chunk)) => {
                if self.buffer.len() + chunk.len() > most {
                    return Err(Broken::TooLarge);
                }
                self.buffer.push(chunk);
                if http_body::Body::is_end_stream(&self.source) {
                    self.read = Read::ToTheEnd;
                }
            }
            Some(Err(frame)) => {
                self.trailers = frame.into_trailers().unwrap_or_default();
                self.read = Read::ToTheTrailers;
            }
        }
        Ok(())
    }
}

/// Waits for the next news: an event of the stream, or more of the body if it is read.
pub(crate) async fn next(
    events: &mut UnboundedReceiver<Event>,
    held: Option<&mut Held>,
    limits: &Limits,
) -> News {
    timeout(limits.pause, coming(events, held, limits.body)).await.unwrap_or(News::Nothing)
}

async fn coming(events: &mut UnboundedReceiver<Event>, held: Option<&mut Held>, most: usize) -> News {
    let Some(held) = held.filter(|held| held.read == Read::Partly) else {
        return News::Event(events.recv().await);
    };
    let frame = tokio::select! {
        biased;
        event = events.recv() => return News::Event(event),
        frame = held.source.frame() => frame,
    };
    match held.take(frame, most) {
        Ok(()) => News::Body,
        Err(broken) => News::Broken(broken),
    }
}
