//! The upstream's answer, before any plugin has changed it.

use std::{fmt, sync::Arc};

use http::Response;

use super::Exchange;
use crate::Body;

type Look = dyn Fn(Response<Body>, &mut Exchange) -> Response<Body> + Send + Sync;

/// What sees the upstream's answer first: as the upstream sent it, but for what a proxy must change. Plugins of
/// higher priority see, and change, what it gives on. It stands in [`Exchange::extensions`].
#[derive(Clone)]
pub(crate) struct Tap(Arc<Look>);

impl Tap {
    pub(crate) fn apply(&self, response: Response<Body>, exchange: &mut Exchange) -> Response<Body> {
        (self.0)(response, exchange)
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl Exchange {
    /// Lets `look` see the upstream's answer before any plugin's response phase, and change it: a cache stores what
    /// the upstream said, not what plugins have made of it for one client. Not called where no upstream answers.
    ///
    /// Of two taps the one that was set later sees what the other gives on.
    pub fn tap(
        &mut self,
        look: impl Fn(Response<Body>, &mut Self) -> Response<Body> + Send + Sync + 'static,
    ) {
        let tap = match self.extensions.remove::<Tap>() {
            None => Tap(Arc::new(look)),
            Some(before) => {
                Tap(Arc::new(move |response, exchange| look(before.apply(response, exchange), exchange)))
            }
        };
        self.extensions.insert(tap);
    }
}
