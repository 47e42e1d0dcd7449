//! Who may ask: tokens, and the names that it may be asked by.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};
use axum::extract::Request;
use gateway_core::ConnectInfo;
use http::{HeaderMap, HeaderName, Method, header};

use super::{browser, reply::Failure};

/// Who may ask the Admin API. By default everybody who reaches it, by an address or by `localhost`.
///
/// ```
/// use gateway_control::admin::Access;
///
/// let access = Access::default().token("deploys", "a long random text").host("admin.internal");
/// assert!(!format!("{access:?}").contains("random"), "tokens are not kept, only their digests");
/// ```
#[derive(Clone, Default)]
pub struct Access {
    tokens: Vec<Token>,
    hosts: Vec<Box<str>>,
}

#[derive(Clone)]
struct Token {
    name: Arc<str>,
    digest: Digest,
}

/// The token that a request brought, by its name; it stands in the history of changes.
#[derive(Clone, Debug)]
struct Caller(Arc<str>);

/// The header that Kong's clients send their token in.
const ADMIN_TOKEN: HeaderName = HeaderName::from_static("kong-admin-token");

/// What load balancers ask; it tells nothing but yes or no.
const PROBE: &str = "/status/ready";

impl Access {
    /// The same for those who bring this token, as `Authorization: Bearer ..` or `Kong-Admin-Token: ..`. With one token
    /// or more nobody else is answered, but for `GET /status/ready`. Changes are noted under `name`.
    #[must_use]
    pub fn token(mut self, name: &str, token: &str) -> Self {
        self.tokens.push(Token { name: name.into(), digest: digest(&SHA256, token.as_bytes()) });
        self
    }

    /// The same where changes are taken by this host name, too: that of a proxy in front, or of the node.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_ascii_lowercase().into());
        self
    }

    /// Lets a request in, and notes who it is.
    pub(super) fn admit(&self, request: &mut Request) -> Result<(), Failure> {
        browser::check(request, |host| self.hosts.iter().any(|known| **known == *host))?;
        if self.tokens.is_empty() || (request.method() == Method::GET && request.uri().path() == PROBE) {
            return Ok(());
        }
        let caller = brought(request.headers()).and_then(|token| self.holder(token));
        let name = caller.ok_or(Failure::Unauthorized)?;
        request.extensions_mut().insert(Caller(name));
        Ok(())
    }

    /// Whose token it is. Digests are compared: how long that takes says nothing of the token.
    fn holder(&self, token: &str) -> Option<Arc<str>> {
        let digest = digest(&SHA256, token.as_bytes());
        let is_it = |known: &&Token| verify_slices_are_equal(known.digest.as_ref(), digest.as_ref()).is_ok();
        self.tokens.iter().find(is_it).map(|token| Arc::clone(&token.name))
    }
}

/// Who asks: the name of a token, or else the address.
pub(super) fn caller(request: &Request) -> String {
    let extensions = request.extensions();
    if let Some(Caller(name)) = extensions.get() {
        return name.to_string();
    }
    let peer = extensions.get::<Arc<ConnectInfo>>().map(|connection| connection.peer().ip().to_string());
    peer.unwrap_or_else(|| "unknown".to_owned())
}

fn brought(headers: &HeaderMap) -> Option<&str> {
    if let Some(token) = headers.get(ADMIN_TOKEN) {
        return token.to_str().ok();
    }
    let credentials = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.tokens.iter().map(|token| &token.name).collect();
        f.debug_struct("Access").field("tokens", &names).field("hosts", &self.hosts).finish()
    }
}
