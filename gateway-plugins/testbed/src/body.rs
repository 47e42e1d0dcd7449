//! Bodies of a test's requests and answers.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use plugin_sdk::testing::wire::Fields;

/// A body in these pieces. An empty one at the end says that its length is not known beforehand.
pub(crate) fn body(pieces: Vec<Vec<u8>>) -> BoxBody<Bytes, Infallible> {
    if pieces.last().is_some_and(Vec::is_empty) {
        let frames = pieces.into_iter().filter(|piece| !piece.is_empty());
        let frames = frames.map(|piece| Ok(Frame::data(piece.into()))).collect::<Vec<_>>();
        return BodyExt::boxed(StreamBody::new(stream::iter(frames)));
    }
    Full::new(Bytes::from(pieces.concat())).boxed()
}

/// Header fields of a test, as far as they can be some.
pub(crate) fn headers(fields: &Fields) -> HeaderMap {
    let fields = fields.iter().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    });
    fields.collect()
}

/// Header fields for a test.
pub(crate) fn fields(headers: &HeaderMap) -> Fields {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
