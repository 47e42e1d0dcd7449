//! An answer on its way to the client that is stored once it is complete.

use bytes::Bytes;
use http_body::Frame;

use super::store::Arriving;
use crate::{BoxError, body::Watch};

/// A copy of a body that passes. What fails, is cut, has trailers or is too large is not stored.
pub(super) struct Fill<F>(Option<(Arriving, F)>);

impl<F: FnOnce(Bytes)> Fill<F> {
    /// `store` gets the whole of it.
    pub(super) const fn new(arriving: Arriving, store: F) -> Self {
        Self(Some((arriving, store)))
    }
}

impl<F: FnOnce(Bytes)> Watch for Fill<F> {
    fn pass(&mut self, frame: &mut Frame<Bytes>) {
        let copied = frame.data_ref().zip(self.0.as_mut());
        if !copied.is_some_and(|(data, (arriving, _))| arriving.add(data)) {
            self.0 = None;
        }
    }

    fn end(&mut self, end: Result<(), &BoxError>) {
        if let (Some((mut arriving, store)), Ok(())) = (self.0.take(), end) {
            store(arriving.finish());
        }
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
    use crate::{Body, BoxError, body::Passing};

    type Frames = Vec<Result<Frame<Bytes>, BoxError>>;

    /// What is stored of a body of these frames, of which so many are read.
    async fn stored(frames: Frames, read: usize) -> Option<Bytes> {
        let store = Arc::new(Store::new(16 * 8).unwrap());
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let fill = Fill::new(Arriving::new(store), move |bytes| *keep.lock().unwrap() = Some(bytes));
        let mut fill = Passing::new(body, fill);
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
