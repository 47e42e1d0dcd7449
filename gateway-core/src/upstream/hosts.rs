//! What an endpoint is called in `Host`.

use http::HeaderValue;

/// What an endpoint is called in `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) clear: HeaderValue,
    pub(crate) tls: HeaderValue,
}
