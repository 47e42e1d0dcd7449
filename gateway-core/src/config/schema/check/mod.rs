//! What single values must be, in Kong's words for what they are not.

mod format;
mod host;
mod name;
mod path;
mod pattern;
mod pem;

use serde_json::Value;

pub(super) use format::format;
pub(super) use host::{host, host_header, ip_or_cidr, route_host, sni, target, upstream_name, wildcard_sni};
pub(super) use name::{cookie, header, header_of_route, method, name, tag, uuid, vault_prefix};
pub(super) use path::{path, route_path, url};
pub(super) use pattern::{
    COOKIE, HEADER, HOST, HOST_AND_PORT, IP_OR_CIDR, METHOD, NAME, PATH, PROTOCOL, ROUTE_HOST, ROUTE_PATH,
    SERVER_NAME, TAG, URL, UUID, VAULT_PREFIX, WILDCARD_SNI,
};
pub(in crate::config) use pem::digest_of;
pub(super) use pem::{certificate, key};

/// Whether a text is a reference into a vault.
pub(in crate::config) fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// The text of a value whose kind has been checked.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
