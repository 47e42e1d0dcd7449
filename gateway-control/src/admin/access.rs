//! Who may ask: tokens, and the names that it may be asked by.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};
use axum::extract::Request;
use gateway_core::ConnectInfo;
use http::{HeaderMap, HeaderName, Method, header};

use super::{
    browser::{self, Known, Page},
    reply::Failure,
};

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
    known: Known,
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

/// What may be read by any name: no entities are in it.
const OPEN: [&str; 3] = [PROBE, "/status", "/metrics"];

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
        self.known.hosts.push(host.to_ascii_lowercase().into());
        self
    }

    /// The same for pages of this origin, as `https://console.internal`: browsers let them read answers, and make changes.
    /// Without one pages of other origins do neither.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.known.origins.push(origin.to_ascii_lowercase().into());
        self
    }

    /// The page that a request comes from.
    pub(super) fn page(&self, request: &Request) -> Page {
        Page::of(request, &self.known)
    }

    /// Lets a request in, and notes who it is.
    pub(super) fn admit(&self, request: &mut Request) -> Result<(), Failure> {
        if is_of_connection(request) {
            browser::check_hosts(request)?;
        }
        let (method, path) = (request.method(), request.uri().path());
        if !browser::is_safe(method) {
            browser::check_change(request, &self.known)?;
        } else if self.tokens.is_empty() && is_from_here(request) && !OPEN.contains(&path) {
            // No page has a token, so with tokens there is nothing to hide.
            browser::check_host(request, &self.known)?;
        }
        let is_probe = method == Method::GET && path == PROBE;
        // Browsers ask whether they may ask, and bring nothing (Fetch 3.3.5).
        let is_preflight = method == Method::OPTIONS && self.is_of_known_page(request);
        if self.tokens.is_empty() || is_probe || is_preflight {
            return Ok(());
        }
        let caller = brought(request.headers()).and_then(|token| self.holder(token));
        let name = caller.ok_or(Failure::Unauthorized)?;
        request.extensions_mut().insert(Caller(name));
        Ok(())
    }

    fn is_of_known_page(&self, request: &Request) -> bool {
        let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        origin.is_some_and(|origin| self.known.has_origin(origin))
    }

    /// Whose token it is. Digests are compared: how long that takes says nothing of the token.
    fn holder(&self, token: &str) -> Option<Arc<str>> {
        let digest = digest(&SHA256, token.as_bytes());
        let is_it = |known: &&Token| verify_slices_are_equal(known.digest.as_ref(), digest.as_ref()).is_ok();
        self.tokens.iter().find(is_it).map(|token| Arc::clone(&token.name))
    }
}

/// Whether it came over a connection: what an embedder makes up need not name a host.
fn is_of_connection(request: &Request) -> bool {
    request.extensions().get::<Arc<ConnectInfo>>().is_some()
}

/// Whether somebody on this machine asks: a browser of the operator's does.
fn is_from_here(request: &Request) -> bool {
    let connection = request.extensions().get::<Arc<ConnectInfo>>();
    connection.is_some_and(|connection| connection.peer().ip().to_canonical().is_loopback())
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
        f.debug_struct("Access")
            .field("tokens", &names)
            .field("hosts", &self.known.hosts)
            .field("origins", &self.known.origins)
            .finish()
    }
}
