//! Logins: the way to the provider (RFC 6749, section 4.1; RFC 7636; RFC 9126).

use plugin_sdk::{contract, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{
    Openid, client,
    config::Config,
    cookies::{Jar, Scope},
    random,
    refusal::{self, redirect},
    token::{Client, with_query},
};

/// How users are sent to the provider.
#[derive(Debug)]
pub(crate) struct Logins {
    pub(crate) cookie: String,
    pub(crate) scope: Scope,
    pub(crate) lifetime: u32,
    redirect_uri: Option<String>,
    /// The path of that.
    pub(crate) path: Option<String>,
    pub(crate) then: Option<String>,
    scopes: String,
    audience: Vec<String>,
    further: Vec<(String, String)>,
    max_age: Option<u64>,
    push: Option<bool>,
}

/// A login under way, as the browser keeps it: nobody else can finish it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending<'p> {
    pub(crate) state: &'p str,
    pub(crate) nonce: &'p str,
    pub(crate) verifier: &'p str,
    pub(crate) redirect_uri: &'p str,
    /// Where the user wanted to go.
    pub(crate) path: &'p str,
    pub(crate) begun: u64,
}

pub(crate) const PURPOSE: &str = "openid-connect login 1";
/// Logins that one browser may have under way.
const MOST: usize = 4;
/// Letters of a state that name its cookie.
const NAMING: usize = 8;

impl Logins {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let scope = Scope::of_logins(config.session_cookie_secure);
        let redirect_uri = config.redirect_uri.as_ref().and_then(|uris| uris.first().cloned());
        let path = redirect_uri.as_deref().map(|uri| {
            let (_, path) =
                crate::provider::split(uri).ok_or("redirect_uri: expected an http or https address")?;
            Ok::<_, String>(path.split('?').next().unwrap_or_default().to_owned())
        });
        let (names, values) =
            (&config.authorization_query_args_names, &config.authorization_query_args_values);
        if names.len() != values.len() {
            return Err("authorization_query_args_values: expected as many as names".to_owned());
        }
        if let Some(name) = names.iter().find(|name| OWN.contains(&name.as_str())) {
            return Err(format!("authorization_query_args_names: {name} is the plugin's own"));
        }
        if !config.scopes.iter().any(|scope| scope == "openid") {
            return Err("scopes: expected to contain: openid".to_owned());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and a year"
        )]
        let max_age = config.max_age.map(|age| age as u64);
        Ok(Self {
            cookie: scope.name(&config.authorization_cookie_name),
            scope,
            lifetime: config.authorization_rolling_timeout,
            path: path.transpose()?,
            redirect_uri,
            then: config.login_redirect_uri.as_ref().and_then(|uris| uris.first().cloned()),
            scopes: config.scopes.join(" "),
            audience: config.audience.clone().unwrap_or_default(),
            further: names.iter().cloned().zip(values.iter().cloned()).collect(),
            max_age,
            push: config.require_pushed_authorization_requests,
        })
    }

    /// The cookie of the login that a state is of.
    pub(crate) fn cookie_of(&self, state: &str) -> Option<String> {
        let (short, _) = state.split_at_checked(NAMING)?;
        let plain = short.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        plain.then(|| format!("{}-{short}", self.cookie))
    }

    /// When the user of a login must have shown who it is, at the earliest.
    pub(crate) fn since(&self, pending: &Pending<'_>, leeway: u32) -> Option<u64> {
        self.max_age.map(|age| pending.begun.saturating_sub(age + u64::from(leeway)))
    }

    /// Whether a cookie is that of a login.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.cookie).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.len() == NAMING)
    }
}

/// Arguments that nobody else sets.
const OWN: [&str; 11] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "request",
    "request_uri",
];

impl Openid {
    /// Sends the user to the provider.
    pub(crate) async fn begin_login(&self, request: &Request, jar: &Jar<'_>) -> Reply {
        let Some(client) = &self.client else { return auth::unexpected(Error::Failed) };
        match self.try_login(client, request, jar).await {
            Ok(reply) => reply,
            Err(Error::Late) => refusal::unavailable(),
            Err(error) => auth::unexpected(error),
        }
    }

    /// [`Error::Late`] where the provider cannot be asked.
    async fn try_login(&self, client: &Client, request: &Request, jar: &Jar<'_>) -> Result<Reply, Error> {
        let provider = self.discovery.present().await.ok_or(Error::Late)?;
        let endpoint = provider.metadata.authorization_endpoint.as_deref().ok_or(Error::Late)?;
        let logins = &self.logins;
        let (state, nonce, verifier) = (random::text()?, random::text()?, random::text()?);
        let own = || format!("{}{}", client::base(request), &*request.path());
        let redirect_uri = logins.redirect_uri.clone().unwrap_or_else(own);
        let asked = request.path_and_query();
        let pending = Pending {
            state: &state,
            nonce: &nonce,
            verifier: &verifier,
            redirect_uri: &redirect_uri,
            path: client::local(&asked),
            begun: time::now().as_secs(),
        };
        let pending = contract::encode(&pending, Vec::new()).map_err(|_| Error::Failed)?;
        let cookie = self.keys.seal(PURPOSE, &pending)?;
        let challenge = random::digest(&verifier)?;
        let max_age = logins.max_age.map(|age| age.to_string());
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &redirect_uri),
            ("scope", &logins.scopes),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        fields.extend(logins.audience.iter().map(|audience| ("audience", audience.as_str())));
        fields.extend(max_age.as_deref().map(|age| ("max_age", age)));
        fields.extend(logins.further.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let location = if logins.push.unwrap_or(provider.metadata.require_pushed_authorization_requests) {
            let pushed = client.push(&provider, &fields).await.map_err(|_| Error::Late)?;
            with_query(endpoint, &[("client_id", &client.id), ("request_uri", &pushed)])
        } else {
            with_query(endpoint, &fields)
        };
        let name = logins.cookie_of(&state).ok_or(Error::Failed)?;
        let mut reply = redirect(location);
        let others: Vec<_> = jar.iter().map(|(name, _)| name).filter(|name| logins.is_own(name)).collect();
        if others.len() >= MOST {
            reply =
                others.iter().fold(reply, |reply, name| reply.header("set-cookie", logins.scope.none(name)));
        }
        Ok(reply.header("set-cookie", logins.scope.cookie(&name, &cookie, Some(logins.lifetime))))
    }
}
