//! Canonical host, path, headers and framing, once, at both edges of the gateway.
//!
//! hyper parses strictly and validates little. What it lets through and a proxy must not is refused
//! here, and what it may pass on has one form, so that the router, the plugins, the log and the
//! upstream all see the same request. In the order of a request:
//!
//! 1. [`check_head`] and [`Canonical::apply`], or [`sanitize`]: the head is refused with a
//!    [`Reason`](crate::Reason), or canonical from here on.
//! 2. [`Trust::client`]: who sent it.
//! 3. [`set_forwarded`] once the route is known, [`Upgrade::ask`] and [`frame_request`] last before
//!    it goes out.
//! 4. [`guard_response`] on the upstream's answer, before the client or a plugin sees any of it.
//!
//! All of them are plain functions over heads: no clock, no I/O. [`SanitizeLayer`] and
//! [`UpstreamGuardLayer`] put the first and the last around any service. This room does not know
//! routes, plugins or sockets; it cannot see what hyper has refused, or a `Content-Length` that hyper
//! has removed beside a `Transfer-Encoding` (a listener may [put it back](crate::server::Limits::keep_length)).
//!
//! ```
//! use gateway_core::sanitize::{Rules, check_head};
//!
//! let head = http::Request::get("/a/../../etc").header("host", "a").body(()).unwrap().into_parts().0;
//! let reason = check_head(&head, &Rules::default()).unwrap_err();
//! assert_eq!(reason.word(), "bad_path");
//! ```

mod forwarded;
mod framing;
mod headers;
mod host;
mod layer;
pub mod names;
mod path;
mod request;
mod response;
mod trust;
mod upgrade;

pub(crate) use forwarded::Lines;
pub use forwarded::{Brand, Forward, append_via, set_forwarded};
pub use framing::{Hop, frame_request};
pub(crate) use framing::{is_only_chunked, told_length};
pub use headers::{Compat, Strictness, Trailers, clean_trailers, strip_request, strip_response};
pub use host::Host;
pub use layer::{
    Sanitize, SanitizeFuture, SanitizeLayer, UpstreamGuard, UpstreamGuardFuture, UpstreamGuardLayer,
};
pub(crate) use path::climbs_decoded;
pub use path::{canonical_path, refuse_ambiguous};
pub use request::{Canonical, Rules, check_head, complete_refusal, sanitize};
pub use response::guard_response;
pub use trust::{Client, Trust, TrustedIps};
pub use upgrade::Upgrade;
