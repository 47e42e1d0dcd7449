//! The provider as it describes itself (OpenID Connect Discovery 1.0): fetched when it is needed, kept while it may be.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use crate::{
    config::Config,
    lock::Lock,
    metadata::{self, Metadata, Overrides, WELL_KNOWN},
    reach::Reach,
};
use plugin_sdk::{
    jwt::{Algorithm, Demand, Keys, Scheme, Spec, Verifier},
    prelude::*,
};

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

/// Where a provider is found, and what is known of it. What one worker finds out all of the process know.
#[derive(Debug)]
pub(crate) struct Discovery {
    url: String,
    overrides: Overrides,
    client: Option<String>,
    leeway: u32,
    timeout: Duration,
    pub(crate) reach: Rc<Reach>,
    known: RefCell<Option<(Rc<Provider>, u64)>>,
    /// The version of what another worker has found that was looked at last.
    seen: Cell<u64>,
}

/// Namespace of who asks just now.
const ASKING: &str = "discovering";
/// Seconds until it is fetched again.
const FRESH: u64 = 3600;
/// Seconds for which one counts that cannot be fetched again.
const OLDEST: u32 = 24 * 3600;
/// A provider that is known, and silent for so long, is not there.
const SILENCE: Duration = Duration::from_secs(3);
/// Those who wait look again after so long.
const PAUSE: Duration = Duration::from_millis(20);
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
            reach: Rc::new(Reach::new(&url)),
            url,
            overrides: Overrides::new(config),
            client: config.client_id.as_ref().and_then(|ids| ids.first().cloned()),
            leeway: config.leeway,
            timeout: Duration::from_millis(config.timeout.into()),
            known: RefCell::default(),
            seen: Cell::default(),
        })
    }

    /// The provider, where nothing has to be asked.
    pub(crate) fn fresh(&self) -> Option<Rc<Provider>> {
        self.at_most(FRESH, time::now().as_secs())
    }

    /// The provider: asked where that is due, as long as another answer counts as well. None where there is none.
    pub(crate) async fn provider(&self) -> Option<Rc<Provider>> {
        loop {
            if let Some(provider) = self.fresh() {
                return Some(provider);
            }
            let (_lock, asks) = self.lock()?;
            // Another worker may have come to an end between the two looks.
            let now = time::now().as_secs();
            if let Some(provider) = self.at_most(FRESH, now) {
                return Some(provider);
            }
            let old = self.at_most(OLDEST.into(), now);
            if asks && !self.reach.last().is_paused(now) {
                return if self.ask(self.timeout).await { self.fresh() } else { old };
            }
            if asks || old.is_some() {
                return old;
            }
            time::sleep(PAUSE).await.ok()?;
        }
    }

    /// The provider as [`provider`](Self::provider) has it, if it was there a moment ago: it is asked where nobody knows
    /// that. Users who were sent to one that is not would see their browser's words.
    pub(crate) async fn present(&self) -> Option<Rc<Provider>> {
        loop {
            let now = time::now().as_secs();
            let Some(known) = self.at_most(OLDEST.into(), now) else { return self.provider().await };
            let last = self.reach.last();
            if last.is_good(now) || last.is_paused(now) {
                return last.is_good(now).then_some(known);
            }
            let (_lock, asks) = self.lock()?;
            // As above.
            if asks && self.reach.last() == last {
                return if self.ask(self.timeout.min(SILENCE)).await { self.fresh() } else { None };
            }
            if !asks {
                time::sleep(PAUSE).await.ok()?;
            }
        }
    }

    /// Whether nobody else in this process asks just now.
    fn lock(&self) -> Option<(Lock<'_>, bool)> {
        let seconds = u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX).saturating_add(2);
        Lock::take(ASKING, &self.url, seconds).ok()
    }

    fn at_most(&self, age: u64, now: u64) -> Option<Rc<Provider>> {
        let own = || {
            let known = self.known.borrow();
            let (provider, fetched) = known.as_ref()?;
            (now.saturating_sub(*fetched) < age).then(|| Rc::clone(provider))
        };
        own().or_else(|| {
            self.adopt();
            own()
        })
    }

    /// Takes what another worker has found.
    fn adopt(&self) {
        let Some((metadata, fetched, version)) = metadata::shared(&self.url, self.seen.get()) else { return };
        self.seen.set(version);
        match self.verified(metadata) {
            Ok(provider) => *self.known.borrow_mut() = Some((Rc::new(provider), fetched)),
            Err(why) => warn!("discovery_failed: {}: {why}", self.url),
        }
    }

    /// Whether the provider describes itself.
    async fn ask(&self, timeout: Duration) -> bool {
        let found = self.fetch(timeout).await;
        let found = found.and_then(|metadata| Ok((self.verified(metadata.clone())?, metadata)));
        let now = time::now().as_secs();
        match found {
            Ok((provider, metadata)) => {
                *self.known.borrow_mut() = Some((Rc::new(provider), now));
                metadata::share(&self.url, &metadata, now, OLDEST);
                self.reach.good(now);
                true
            }
            Err(why) => {
                self.reach.failed(now);
                warn!("discovery_failed: {}: {why}", self.url);
                false
            }
        }
    }

    async fn fetch(&self, timeout: Duration) -> Result<Metadata, String> {
        let answer = call("GET", &self.url).ok_or("this is no address")?.header("accept", "application/json");
        let answer = answer.timeout(timeout).send().await.map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("status {}", answer.status()));
        }
        if answer.body().len() > MOST {
            return Err(format!("more than {MOST} bytes"));
        }
        answer.json().map_err(|error| error.to_string())
    }

    fn verified(&self, mut metadata: Metadata) -> Result<Provider, String> {
        if !metadata.is_of(&self.url) {
            return Err(format!("it is of another issuer: {:?}", metadata.issuer));
        }
        self.overrides.apply(&mut metadata);
        metadata.check(self.url.starts_with("http://"))?;
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
