//! What is held until an answer is over.

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame};

use super::{Switched, rules::Permits};
use crate::{
    Body,
    body::{Passing, Watch},
    error::BoxError,
};

/// Holds `permits` until the answer is over: its body, or the connection that it became.
pub(super) fn hold(response: &mut Response<Body>, permits: Permits) {
    if permits.is_empty() {
        return;
    }
    if let Some(switched) = response.extensions_mut().get_mut::<Switched>() {
        switched.hold(permits);
    } else if response.body().as_bytes().is_none() && !response.body().is_end_stream() {
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = Body::new(Passing::new(body, permits));
    }
}

impl Watch for Permits {
    fn pass(&mut self, _: &mut Frame<Bytes>) {}

    /// They are given back.
    fn end(&mut self, _: Result<(), &BoxError>) {
        self.clear();
    }
}
