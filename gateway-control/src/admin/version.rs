//! Which Kong this is to its clients.

/// The version of Kong's whose answers these are; clients gate on it (compat M8).
pub const KONG_VERSION: &str = "3.9.3";
