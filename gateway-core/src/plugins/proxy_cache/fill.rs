//! An answer on its way to the client that is stored once it is complete.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::store::Arriving;
use crate::{Body, BoxError};

/// A body that is copied as it passes. What fails, is cut, has trailers or is too large is not stored.
pub(super) struct Fill<F> {
    body: Body,
    copy: Option<(Arriving, F)>,
}

impl<F: FnOnce(Bytes)> Fill<F> {
    /// `store` gets the whole of it.
    pub(super) const fn new(body: Body, arriving: Arriving, store: F) -> Self {
        Self { body, copy: Some((arriving, store)) }
    }

    fn see(&mut self, frame: Option<&Result<Frame<Bytes>, BoxError>>) {
        let complete = match frame {
            None => true,
            Some(Ok(frame)) => {
                let copied = frame
                    .data_ref()
                    .zip(self.copy.as_mut())
                    .is_some_and(|(data, (arriving, _))| arriving.add(data));
                if !copied {
                    self.copy = None;
                }
                self.body.is_end_stream()
            }
            Some(Err(_)) => {
                self.copy = None;
                false
            }
        };
        if complete && let Some((mut arriving, store)) = self.copy.take() {
            store(arriving.finish());
        }
    }
}

impl<F: FnOnce(Bytes) + Unpin> HttpBody for Fill<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.see(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use futures_util::stream;
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::{
        super::store::{Arriving, Store},
        Fill,
    };
    use crate::{Body, BoxError};

    type Frames = Vec<Result<Frame<Bytes>, BoxError>>;

    /// What is stored of a body of these frames, of which so many are read.
    async fn stored(frames: Frames, read: usize) -> Option<Bytes> {
        let store = Arc::new(Store::new(16 * 8).unwrap());
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let mut fill =
            Fill::new(body, Arriving::new(store), move |bytes| *keep.lock().unwrap() = Some(bytes));
        for _ in 0..read {
            if !matches!(fill.frame().await, Some(Ok(_))) {
                break;
            }
        }
        drop(fill);
        kept.lock().unwrap().take()
    }

    fn data(parts: &[&'static str]) -> Frames {
        parts.iter().map(|part| Ok(Frame::data(Bytes::from(*part)))).collect()
    }

    #[tokio::test]
    async fn only_what_is_complete_and_small_enough_is_stored() {
        assert_eq!(stored(data(&["ab", "cd"]), 9).await, Some("abcd".into()));
        assert_eq!(stored(data(&[]), 9).await, Some("".into()));
        assert_eq!(stored(data(&["ab", "cd"]), 1).await, None, "the client left");
        assert_eq!(stored(data(&["12345678", "9"]), 9).await, None, "too large");
        let mut broken = data(&["ab"]);
        broken.push(Err("cut".into()));
        assert_eq!(stored(broken, 9).await, None);
        let mut trailers = data(&["ab"]);
        trailers.push(Ok(Frame::trailers(HeaderMap::new())));
        assert_eq!(stored(trailers, 9).await, None);
    }
}
