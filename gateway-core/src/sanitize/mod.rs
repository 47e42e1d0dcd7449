//! Canonical host, path, headers and framing, once, at both edges of the gateway.

mod framing;
mod headers;
mod host;
pub mod names;
mod path;
mod request;
mod response;
mod upgrade;

pub use framing::{Hop, frame_request};
pub use headers::{Strictness, Trailers, clean_trailers, strip_request, strip_response};
pub use host::Host;
pub use path::{canonical_path, refuse_ambiguous};
pub use request::{Canonical, Rules, check_head, complete_refusal, sanitize};
pub use response::guard_response;
pub use upgrade::Upgrade;
