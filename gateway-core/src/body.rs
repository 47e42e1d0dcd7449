//! The one body type of the crate.

mod passing;

pub(crate) use passing::{Passing, Watch};

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;

use crate::{error::BoxError, pace::Paced};

/// A request or response body: nothing, bytes in memory, hyper's own stream without a box,
/// or any other [`http_body::Body`] behind one.
///
/// ```
/// use gateway_core::Body;
///
/// let body = Body::from("hello");
/// assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
/// ```
pub struct Body(Kind);

enum Kind {
    Empty,
    Full(Bytes),
    Incoming(Incoming),
    Paced(Paced),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// The body of a message without one.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// Wraps any body; hyper's [`Incoming`] and `Body` itself come through without a box.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut slot = Some(body);
        let any: &mut dyn Any = &mut slot;
        if let Some(same) = any.downcast_mut::<Option<Self>>() {
            return same.take().unwrap_or_default();
        }
        if let Some(incoming) = any.downcast_mut::<Option<Incoming>>() {
            return incoming.take().map(Self::from).unwrap_or_default();
        }
        slot.map_or_else(Self::empty, |body| Self(Kind::Boxed(body.map_err(Into::into).boxed_unsync())))
    }

    /// Reads up to `limit` bytes. A body that ends within them is in memory afterwards; a longer one is
    /// what it was before, with what has been read in front.
    ///
    /// # Errors
    /// As the body itself.
    pub async fn prefetch(self, limit: usize) -> Result<Self, BoxError> {
        self.read(limit, true).await
    }

    /// The same with what has arrived already: nothing is waited for, as the other end of a stream may wait itself.
    ///
    /// # Errors
    /// As the body itself.
    pub async fn prefetch_arrived(self, limit: usize) -> Result<Self, BoxError> {
        self.read(limit, false).await
    }

    async fn read(mut self, limit: usize, waits: bool) -> Result<Self, BoxError> {
        let mut read = BytesMut::new();
        loop {
            let next = poll_fn(|cx| match Pin::new(&mut self).poll_frame(cx) {
                Poll::Pending if !waits => Poll::Ready(Poll::Pending),
                polled => polled.map(Poll::Ready),
            });
            let frame = match next.await {
                Poll::Ready(Some(frame)) => frame,
                Poll::Ready(None) => return Ok(Self::from(read.freeze())),
                Poll::Pending if read.is_empty() => return Ok(self),
                Poll::Pending => return Ok(Self::new(Prefixed::new(read.freeze(), None, self))),
            };
            match frame?.into_data() {
                Ok(data) if read.is_empty() && self.is_end_stream() => return Ok(Self::from(data)),
                Ok(data) => read.extend_from_slice(&data),
                Err(trailers) => return Ok(Self::new(Prefixed::new(read.freeze(), Some(trailers), self))),
            }
            if read.len() > limit {
                return Ok(Self::new(Prefixed::new(read.freeze(), None, self)));
            }
        }
    }

    /// The same body with these bytes in front.
    pub(crate) fn behind(self, bytes: Bytes) -> Self {
        if self.is_end_stream() { Self::from(bytes) } else { Self::new(Prefixed::new(bytes, None, self)) }
    }

    /// The bytes of a body that is wholly in memory.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Full(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            Kind::Incoming(_) | Kind::Paced(_) => "incoming",
            Kind::Boxed(_) => "boxed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::empty() } else { Self(Kind::Incoming(incoming)) }
    }
}

impl From<Paced> for Body {
    fn from(paced: Paced) -> Self {
        Self(Kind::Paced(paced))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(bytes)) }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Incoming(incoming) => {
                Poll::Ready(ready!(Pin::new(incoming).poll_frame(cx)).map(|frame| frame.map_err(Into::into)))
            }
            Kind::Paced(paced) => paced.poll_frame(cx),
            Kind::Boxed(boxed) => Pin::new(boxed).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Incoming(incoming) => incoming.is_end_stream(),
            Kind::Paced(paced) => paced.is_end_stream(),
            Kind::Boxed(boxed) => boxed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Incoming(incoming) => incoming.size_hint(),
            Kind::Paced(paced) => paced.size_hint(),
            Kind::Boxed(boxed) => boxed.size_hint(),
        }
    }
}

/// What has been read of a body already, then the rest of it.
struct Prefixed {
    read: [Option<Frame<Bytes>>; 2],
    rest: Body,
}

impl Prefixed {
    fn new(read: Bytes, trailers: Option<Frame<Bytes>>, rest: Body) -> Self {
        let data = (!read.is_empty()).then(|| Frame::data(read));
        Self { read: [data, trailers], rest }
    }
}

impl HttpBody for Prefixed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.read.iter_mut().find_map(Option::take) {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.iter().all(Option::is_none) && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read =
            self.read.iter().flatten().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + read);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::{Body, BoxError, Kind};

    #[tokio::test]
    async fn a_body_in_a_body_is_not_boxed_again() {
        let body = Body::new(Body::from("x"));
        assert!(matches!(body.0, Kind::Full(_)));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
    }

    #[tokio::test]
    async fn a_stranger_is_boxed_and_streams_the_same() {
        let body = Body::new(Full::new(bytes::Bytes::from("abc")));
        assert!(matches!(body.0, Kind::Boxed(_)));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn prefetching_changes_nothing_but_where_the_bytes_are() {
        let stranger = || Body::new(Full::new(bytes::Bytes::from("abcdef")).boxed_unsync());
        assert!(stranger().prefetch(6).await.unwrap().as_bytes().is_some());
        let long = stranger().prefetch(3).await.unwrap();
        assert_eq!(http_body::Body::size_hint(&long).exact(), Some(6));
        assert_eq!(long.collect().await.unwrap().to_bytes(), "abcdef");
    }

    #[tokio::test]
    async fn what_has_arrived_is_taken_and_nothing_is_waited_for() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<&'static str>(2);
        let frames = futures_util::stream::poll_fn(move |cx| {
            receiver.poll_recv(cx).map(|text| text.map(|text| Ok::<_, BoxError>(Frame::data(text.into()))))
        });
        sender.send("abc").await.unwrap();
        let body = Body::new(StreamBody::new(frames)).prefetch_arrived(9).await.unwrap();
        assert!(body.as_bytes().is_none());
        sender.send("def").await.unwrap();
        drop(sender);
        let body = body.prefetch_arrived(9).await.unwrap();
        assert_eq!(body.as_bytes().unwrap(), "abcdef");
    }
}
