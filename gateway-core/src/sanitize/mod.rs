//! Canonical host, path, headers and framing, once, at both edges of the gateway.

pub mod names;
mod path;

pub use path::{canonical_path, refuse_ambiguous};
