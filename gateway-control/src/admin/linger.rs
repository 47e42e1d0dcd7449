//! Bodies that an early answer leaves unread.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use gateway_core::Body;
use http::{Request, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{runtime::Handle, time::timeout};

/// How much more is read, bytes, and for how long. The longest body that anything here takes fits.
const MOST: u64 = 64 << 20;
const LONGEST: Duration = Duration::from_secs(5);

/// The request with a body that is read to its end after all, within bounds, when nobody wants the rest of it.
///
/// Over HTTP/2 an unread body makes its stream end with RST_STREAM, right behind the answer. RFC 9113 8.1 lets clients keep
/// the answer then; some report an error and no status. HTTP/1.1 has a linger of its own, at the listener.
pub(super) fn heard_out(request: Request<Body>) -> Request<axum::body::Body> {
    let version = request.version();
    request.map(|body| match version {
        Version::HTTP_2 if !body.is_end_stream() => axum::body::Body::new(HeardOut(Some(body))),
        _ => axum::body::Body::new(body),
    })
}

struct HeardOut(Option<Body>);

impl http_body::Body for HeardOut {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

impl Drop for HeardOut {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(LONGEST, drain(rest)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut read = 0;
    while read < MOST
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}
