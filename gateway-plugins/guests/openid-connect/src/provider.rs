//! The provider as it describes itself (OpenID Connect Discovery 1.0): fetched when it is needed, kept while it may be.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use plugin_sdk::{
    jwt::{Algorithm, Demand, Keys, Scheme, Spec, Verifier},
    prelude::*,
};
use serde::Deserialize;

use crate::config::Config;

/// What a provider says of itself, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
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

/// A provider that has described itself.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) metadata: Metadata,
    /// Of ID tokens for this client.
    pub(crate) id_tokens: Option<Verifier>,
    /// Of access tokens.
    pub(crate) access_tokens: Verifier,
    /// Of what the provider says of logouts.
    pub(crate) logout_tokens: Option<Verifier>,
}

/// Where a provider is found, and what is known of it.
#[derive(Debug)]
pub(crate) struct Discovery {
    url: String,
    overrides: Overrides,
    client: Option<String>,
    leeway: u32,
    timeout: Duration,
    known: RefCell<Option<(Rc<Provider>, u64)>>,
    /// When the next attempt may be made, and how many have failed in a row.
    next: Cell<(u64, u32)>,
    /// Whether somebody asks just now.
    asking: Cell<bool>,
}

/// What the operator says in place of the provider.
#[derive(Debug)]
struct Overrides([(Endpoint, Option<String>); 7]);

type Endpoint = fn(&mut Metadata) -> &mut Option<String>;

/// The path of the document (OpenID Connect Discovery 1.0, section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// Seconds until it is fetched again.
const FRESH: u64 = 3600;
/// Seconds for which one counts that cannot be fetched again.
const OLDEST: u64 = 24 * 3600;
/// Seconds between attempts, at most.
const PAUSE: u64 = 5;
/// Bytes of the document.
const MOST: usize = 256 << 10;
/// Seconds until keys are fetched again.
const KEYS_FRESH: u32 = 300;

impl Discovery {
    /// # Errors
    /// An issuer that is no address.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let issuer = config.issuer.strip_suffix(WELL_KNOWN).unwrap_or(&config.issuer);
        let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
        if split(issuer).is_none() || issuer.contains(['?', '#', ' ']) {
            return Err("issuer: expected an address with http or https, without a query".to_owned());
        }
        Ok(Self {
            url,
            overrides: Overrides([
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
            ]),
            client: config.client_id.as_ref().and_then(|ids| ids.first().cloned()),
            leeway: config.leeway,
            timeout: Duration::from_millis(config.timeout.into()),
            known: RefCell::default(),
            next: Cell::default(),
            asking: Cell::default(),
        })
    }

    /// The provider, where nothing has to be asked.
    pub(crate) fn fresh(&self) -> Option<Rc<Provider>> {
        let now = time::now().as_secs();
        self.at_most(FRESH, now)
    }

    /// The provider: asked where that is due, as long as another answer counts as well. None where there is none.
    pub(crate) async fn provider(&self) -> Option<Rc<Provider>> {
        loop {
            let now = time::now().as_secs();
            if let Some(provider) = self.at_most(FRESH, now) {
                return Some(provider);
            }
            let old = self.at_most(OLDEST, now);
            if self.asking.get() && old.is_none() {
                time::sleep(Duration::from_millis(20)).await.ok()?;
                continue;
            }
            if self.asking.get() || now < self.next.get().0 {
                return old;
            }
            self.ask().await;
            return self.at_most(OLDEST, now);
        }
    }

    fn at_most(&self, age: u64, now: u64) -> Option<Rc<Provider>> {
        let known = self.known.borrow();
        let (provider, fetched) = known.as_ref()?;
        (now.saturating_sub(*fetched) < age).then(|| Rc::clone(provider))
    }

    async fn ask(&self) {
        // Whoever asks may go away before the answer comes.
        let asking = Asking::begin(&self.asking);
        let (found, now) = (self.fetch().await, time::now().as_secs());
        drop(asking);
        match found {
            Ok(provider) => {
                *self.known.borrow_mut() = Some((Rc::new(provider), now));
                self.next.set((now, 0));
            }
            Err(why) => {
                let failed = self.next.get().1.saturating_add(1);
                self.next.set((now + PAUSE.min(1 << failed.min(3).saturating_sub(1)), failed));
                warn!("discovery_failed: {}: {why}", self.url);
            }
        }
    }

    async fn fetch(&self) -> Result<Provider, String> {
        let answer = call("GET", &self.url).ok_or("this is no address")?.header("accept", "application/json");
        let answer = answer.timeout(self.timeout).send().await.map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("status {}", answer.status()));
        }
        if answer.body().len() > MOST {
            return Err(format!("more than {MOST} bytes"));
        }
        let mut metadata: Metadata = answer.json().map_err(|error| error.to_string())?;
        let issuer = &metadata.issuer;
        if format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')) != self.url {
            return Err(format!("it is of another issuer: {issuer:?}"));
        }
        for (field, own) in self.overrides.0.iter().filter(|(_, own)| own.is_some()) {
            field(&mut metadata).clone_from(own);
        }
        self.check(&metadata)?;
        self.verified(metadata)
    }

    /// Tokens and secrets go over TLS, unless the operator has the provider itself in clear.
    fn check(&self, metadata: &Metadata) -> Result<(), String> {
        let clear = self.url.starts_with("http://");
        let endpoints = [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.userinfo_endpoint,
            &metadata.introspection_endpoint,
            &metadata.end_session_endpoint,
            &metadata.pushed_authorization_request_endpoint,
            &metadata.jwks_uri,
        ];
        for endpoint in endpoints.into_iter().flatten() {
            let known = endpoint.starts_with("https://") || clear && endpoint.starts_with("http://");
            if !known || endpoint.contains('#') || endpoint.chars().any(|it| it.is_control() || it == ' ') {
                return Err(format!("{endpoint:?} is no address for tokens"));
            }
        }
        Ok(())
    }

    fn verified(&self, metadata: Metadata) -> Result<Provider, String> {
        let url = metadata.jwks_uri.clone().ok_or("there is no jwks_uri")?;
        let upstream = split(&url).ok_or("jwks_uri is no address")?.0;
        let verifier = |audiences: Vec<&str>, types: Vec<&str>, expires| {
            let spec = Spec {
                algorithms: ALGORITHMS.to_vec(),
                keys: Keys::Address { upstream: &upstream, url: &url, fresh: KEYS_FRESH },
                expires,
                begins: Demand::IfThere,
                leeway: self.leeway,
                longest: 0,
                issuers: vec![&metadata.issuer],
                audiences,
                types,
            };
            Verifier::new(&spec).map_err(|error| format!("its tokens cannot be verified: {error}"))
        };
        let of_client = |types: Vec<&str>, expires| {
            self.client.as_deref().map(|client| verifier(vec![client], types, expires)).transpose()
        };
        Ok(Provider {
            id_tokens: of_client(Vec::new(), Demand::Required)?,
            // RFC 9068, section 2.1; others say no more than JWT.
            access_tokens: verifier(
                Vec::new(),
                vec!["at+jwt", "application/at+jwt", "JWT", ""],
                Demand::Required,
            )?,
            logout_tokens: of_client(vec!["logout+jwt", "JWT", ""], Demand::IfThere)?,
            metadata,
        })
    }
}

/// Somebody asks, until this is gone.
struct Asking<'a>(&'a Cell<bool>);

impl<'a> Asking<'a> {
    fn begin(asking: &'a Cell<bool>) -> Self {
        asking.set(true);
        Self(asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A callout to a URL; none where it is no address.
pub(crate) fn call(method: &str, url: &str) -> Option<Callout> {
    let (origin, path) = split(url)?;
    let host = origin.split_once("://")?.1;
    Some(Callout::new(method, &origin, path).authority(host))
}

/// The origin of a URL as the gateway writes it, and the path and query.
pub(crate) fn split(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end)?;
    let own = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = host.strip_suffix(own).unwrap_or(host).to_ascii_lowercase();
    let path = if path.is_empty() { "/" } else { path };
    (!host.is_empty() && !host.contains('@') && path.starts_with('/'))
        .then(|| (format!("{scheme}://{host}"), path))
}

/// Signatures with public keys: no secret of the client's makes a token good.
const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Signed(Scheme::Rs256),
    Algorithm::Signed(Scheme::Rs384),
    Algorithm::Signed(Scheme::Rs512),
    Algorithm::Signed(Scheme::Ps256),
    Algorithm::Signed(Scheme::Ps384),
    Algorithm::Signed(Scheme::Ps512),
    Algorithm::Signed(Scheme::Es256),
    Algorithm::Signed(Scheme::Es384),
    Algorithm::Signed(Scheme::Es512),
    Algorithm::Signed(Scheme::EdDsa),
];

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_url_has_an_origin_and_a_path() {
        for (url, found) in [
            ("https://Login.example.com/a?b=c", Some(("https://login.example.com", "/a?b=c"))),
            ("https://a:443", Some(("https://a", "/"))),
            ("http://a:8080/x", Some(("http://a:8080", "/x"))),
            ("https://a@b/", None),
            ("https:///x", None),
            ("https://a?b", None),
            ("ftp://a/", None),
            ("x", None),
        ] {
            let found = found.map(|(origin, path)| (origin.to_owned(), path));
            assert_eq!(split(url), found, "{url}");
        }
    }
}
