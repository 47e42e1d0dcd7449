//! What a provider says of itself (OpenID Connect Discovery 1.0, section 3), and what the operator says in its place.

use plugin_sdk::{
    kv::{self, Only},
    serde_json,
};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// What a provider says of itself, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) introspection_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    pub(crate) pushed_authorization_request_endpoint: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    /// Whether answers to authorization requests say who gives them (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(crate) require_pushed_authorization_requests: bool,
}

/// What the operator says in place of the provider.
#[derive(Debug)]
pub(crate) struct Overrides([(Endpoint, Option<String>); 7]);

type Endpoint = fn(&mut Metadata) -> &mut Option<String>;

/// The path of the document (OpenID Connect Discovery 1.0, section 4).
pub(crate) const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// Namespace of what one worker has fetched for all of the process.
const NAMESPACE: &str = "discovered";

impl Metadata {
    /// Whether it describes the provider whose description is at that address.
    pub(crate) fn is_of(&self, url: &str) -> bool {
        format!("{}{WELL_KNOWN}", self.issuer.trim_end_matches('/')) == url
    }

    /// Tokens and secrets go over TLS, unless the operator has the provider itself in clear.
    pub(crate) fn check(&self, clear: bool) -> Result<(), String> {
        let endpoints = [
            &self.authorization_endpoint,
            &self.token_endpoint,
            &self.userinfo_endpoint,
            &self.introspection_endpoint,
            &self.end_session_endpoint,
            &self.pushed_authorization_request_endpoint,
            &self.jwks_uri,
        ];
        for endpoint in endpoints.into_iter().flatten() {
            let known = endpoint.starts_with("https://") || clear && endpoint.starts_with("http://");
            if !known || endpoint.contains('#') || endpoint.chars().any(|it| it.is_control() || it == ' ') {
                return Err(format!("{endpoint:?} is no address for tokens"));
            }
        }
        Ok(())
    }
}

impl Overrides {
    pub(crate) fn new(config: &Config) -> Self {
        Self([
            (|it| &mut it.authorization_endpoint, config.authorization_endpoint.clone()),
            (|it| &mut it.token_endpoint, config.token_endpoint.clone()),
            (|it| &mut it.userinfo_endpoint, config.userinfo_endpoint.clone()),
            (|it| &mut it.introspection_endpoint, config.introspection_endpoint.clone()),
            (|it| &mut it.end_session_endpoint, config.end_session_endpoint.clone()),
            (
                |it| &mut it.pushed_authorization_request_endpoint,
                config.pushed_authorization_request_endpoint.clone(),
            ),
            (|it| &mut it.jwks_uri, config.jwks_uri.clone()),
        ])
    }

    pub(crate) fn apply(&self, metadata: &mut Metadata) {
        for (field, own) in self.0.iter().filter(|(_, own)| own.is_some()) {
            field(metadata).clone_from(own);
        }
    }
}

/// Tells all workers of the process what was fetched from `url` at `now`, for so many seconds. It is what the provider
/// said: configurations that share it say each for themselves what stands in its place.
pub(crate) fn share(url: &str, metadata: &Metadata, now: u64, seconds: u32) {
    // Where there is no room for it, each fetches for itself.
    if let Ok(said) = serde_json::to_vec(&(now, metadata)) {
        let _ = kv::set(NAMESPACE, url, &said, Some(seconds), Only::Always);
    }
}

/// What some worker has fetched from `url`, when that was, and which version it is; none where that is `seen`.
pub(crate) fn shared(url: &str, seen: u64) -> Option<(Metadata, u64, u64)> {
    let (said, version) = kv::get(NAMESPACE, url).ok()?.filter(|(_, version)| *version != seen)?;
    let (fetched, metadata) = serde_json::from_slice(&said).ok()?;
    Some((metadata, fetched, version))
}
