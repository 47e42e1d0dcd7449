//! Logins: to the provider and back (RFC 6749, section 4.1; RFC 7636; RFC 9207; RFC 9700).

use plugin_sdk::{
    contract,
    kv::{self, Only, Outcome},
    prelude::*,
    serde_json::Value,
};
use serde::{Deserialize, Serialize};

use crate::{
    Openid, client,
    config::Config,
    cookies::{Jar, Scope},
    id_token::{self, Bad, Expected},
    random,
    refusal::{self, failed, redirect},
    session::Session,
    token::{self, Client, Failed, Tokens, with_query},
};

/// How users are sent to the provider.
#[derive(Debug)]
pub(crate) struct Logins {
    pub(crate) cookie: String,
    scope: Scope,
    lifetime: u32,
    redirect_uri: Option<String>,
    /// The path of that.
    pub(crate) path: Option<String>,
    then: Option<String>,
    scopes: String,
    audience: Vec<String>,
    further: Vec<(String, String)>,
    max_age: Option<u64>,
    push: Option<bool>,
}

/// A login under way, as the browser keeps it: nobody else can finish it.
#[derive(Debug, Serialize, Deserialize)]
struct Pending<'p> {
    state: &'p str,
    nonce: &'p str,
    verifier: &'p str,
    redirect_uri: &'p str,
    /// Where the user wanted to go.
    path: &'p str,
    begun: u64,
}

const PURPOSE: &str = "openid-connect login 1";
/// Seconds by which a refresh comes before the end, at most.
const AHEAD: u64 = 10;
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
    pub(crate) async fn begin_login(&self, request: &Request, jar: Jar<'_>) -> Reply {
        let Some(client) = &self.client else { return auth::unexpected(Error::Failed) };
        match self.try_login(client, request, jar).await {
            Ok(reply) => reply,
            Err(Error::Late) => refusal::unavailable(),
            Err(error) => auth::unexpected(error),
        }
    }

    /// [`Error::Late`] where the provider cannot be asked.
    async fn try_login(&self, client: &Client, request: &Request, jar: Jar<'_>) -> Result<Reply, Error> {
        let provider = self.discovery.provider().await.ok_or(Error::Late)?;
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

    /// The user comes back from the provider.
    pub(crate) async fn end_login(&self, query: &Query, jar: Jar<'_>) -> Reply {
        let Some(client) = &self.client else { return auth::unexpected(Error::Failed) };
        let name = query.get("state").and_then(|state| self.logins.cookie_of(state));
        let reply = match self.finish(client, query, jar, name.as_deref()).await {
            Ok(reply) => reply,
            Err(why) => why.reply(),
        };
        // It is used up, however it ended.
        match name.filter(|name| jar.get(name).is_some()) {
            Some(name) => reply.header("set-cookie", self.logins.scope.none(&name)),
            None => reply,
        }
    }

    async fn finish(
        &self,
        client: &Client,
        query: &Query,
        jar: Jar<'_>,
        cookie: Option<&str>,
    ) -> Result<Reply, Why> {
        let argument = |name| match (query.values(name).count(), query.get(name)) {
            (0, _) => Ok(None),
            (1, value) => Ok(value),
            _ => Err(Why::Bad("argument_twice")),
        };
        let state = argument("state")?.ok_or(Why::Bad("state_missing"))?;
        let sealed = cookie.and_then(|name| jar.get(name)).ok_or(Why::Bad("state_of_another_browser"))?;
        let pending = self.keys.open(PURPOSE, sealed, |plain| Some(plain.to_vec()));
        let pending = pending?.ok_or(Why::Bad("state_cookie"))?;
        let pending: Pending<'_> = contract::decode(&pending).ok_or(Why::Bad("state_cookie"))?;
        if !plugin_sdk::crypto::equal(pending.state.as_bytes(), state.as_bytes())? {
            return Err(Why::Bad("state_mismatch"));
        }
        let now = time::now().as_secs();
        if now >= pending.begun + u64::from(self.logins.lifetime) {
            return Err(Why::Bad("state_expired"));
        }
        // Once; a code is good for one time as well, should there be no room to note this.
        let once = kv::set("states", state, b"", Some(self.logins.lifetime), Only::Absent)?;
        if matches!(once, Outcome::Refused(_)) {
            return Err(Why::Bad("state_replayed"));
        }
        let provider = self.discovery.provider().await.ok_or(Why::Unavailable)?;
        // Who answers is who was asked (RFC 9207, section 2.4).
        match argument("iss")? {
            Some(issuer) if issuer == provider.metadata.issuer => {}
            None if !provider.metadata.authorization_response_iss_parameter_supported => {}
            _ => return Err(Why::Bad("issuer_mismatch")),
        }
        if let Some(error) = argument("error")? {
            return Err(Why::of_error(error));
        }
        let code = argument("code")?.ok_or(Why::Bad("code_missing"))?;
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", pending.redirect_uri),
            ("code_verifier", pending.verifier),
        ];
        let tokens = client.tokens(&provider, &grant).await?;
        let id_token = tokens.id_token.as_deref().ok_or(Why::Token("id_token_missing"))?;
        let expected = Expected {
            client: &client.id,
            nonce: Some(pending.nonce),
            subject: None,
            access_token: &tokens.access_token,
            since: self.logins.max_age.map(|age| pending.begun.saturating_sub(age + u64::from(self.leeway))),
        };
        let claims = id_token::verify(&provider, id_token, expected).await?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let user = self.user(client, &provider, &tokens.access_token, subject).await?;
        let name = random::text()?;
        let begun = Begun { name: &name, begun: now, used: now, subject, id_token };
        let session = self.session(&begun, &tokens, &claims, user.as_ref(), "").map_err(|refused| {
            info!("login_forbidden: a user may not come in");
            Why::Refused(self.words.reply(&refused))
        })?;
        // Whatever session there was before is not this one (session fixation).
        let before = self.sessions.find(&self.keys, jar, now)?;
        before.iter().try_for_each(|before| self.sessions.end(before))?;
        let then = self.logins.then.as_deref().unwrap_or(pending.path);
        let cookies = self.sessions.write(&self.keys, &session, None, jar)?;
        let reply =
            cookies.into_iter().fold(redirect(then), |reply, cookie| reply.header("set-cookie", cookie));
        Ok(reply)
    }

    /// What the provider says of the user beside the ID token. It must be of the same user (OpenID Connect Core 1.0,
    /// section 5.3.2).
    async fn user(
        &self,
        client: &Client,
        provider: &crate::provider::Provider,
        access_token: &str,
        subject: &str,
    ) -> Result<Option<Value>, Why> {
        if !self.search_user_info {
            return Ok(None);
        }
        let user = client.user_info(provider, access_token).await?;
        match user.get("sub").and_then(Value::as_str) == Some(subject) {
            true => Ok(Some(user)),
            false => Err(Why::Token("userinfo_sub_mismatch")),
        }
    }

    /// The bytes of a session, if its user may have one. `before` is the refresh token so far.
    pub(crate) fn session(
        &self,
        begun: &Begun<'_>,
        tokens: &Tokens,
        claims: &Value,
        user: Option<&Value>,
        before: &str,
    ) -> Result<Vec<u8>, refusal::Refused> {
        let identity = self.judge(&tokens.access_token, tokens.scope.as_deref(), claims, user)?;
        let lifetime = tokens.lifetime();
        let refresh_token = tokens.refresh_token.as_deref().unwrap_or(before);
        // A little ahead, so that no token ends on its way; some providers end refresh tokens with access tokens.
        let ahead = if refresh_token.is_empty() { 0 } else { (lifetime / 5).min(AHEAD) };
        let user = user.map(ToString::to_string).unwrap_or_default();
        let session = Session {
            name: begun.name,
            begun: begun.begun,
            used: begun.used,
            expires: if lifetime == 0 { 0 } else { begun.used + lifetime - ahead },
            subject: begun.subject,
            provider_session: claims.get("sid").and_then(Value::as_str).unwrap_or_default(),
            id_token: begun.id_token,
            access_token: &tokens.access_token,
            refresh_token,
            scope: tokens.scope.as_deref().unwrap_or_default(),
            user_info: &user,
            identity,
        };
        contract::encode(&session, Vec::new()).map_err(|_| refusal::Refused::Unexpected)
    }

    /// Judges the tokens of a login. Where an access token cannot be read, its scopes are those that came with it.
    pub(crate) fn judge(
        &self,
        access_token: &str,
        scope: Option<&str>,
        claims: &Value,
        user: Option<&Value>,
    ) -> Result<crate::identity::Identity, refusal::Refused> {
        let mut access = id_token::said(access_token);
        if !access.is_object() {
            access = plugin_sdk::serde_json::json!({});
        }
        if let (Some(access), Some(scope)) = (access.as_object_mut(), scope) {
            access.entry("scope").or_insert_with(|| scope.into());
        }
        self.rules.judge_login(&access, claims, user)
    }
}

/// What a session begins with.
pub(crate) struct Begun<'b> {
    pub(crate) name: &'b str,
    pub(crate) begun: u64,
    pub(crate) used: u64,
    pub(crate) subject: &'b str,
    pub(crate) id_token: &'b str,
}

/// Why a login comes to nothing.
enum Why {
    /// The request is none that this browser's login leads to; with a word for the log.
    Bad(&'static str),
    /// The provider's tokens are not what they should be.
    Token(&'static str),
    /// The provider, or the user there, says no.
    Denied,
    Unavailable,
    Unexpected(Error),
    Refused(Reply),
}

impl Why {
    /// What the provider says in place of a code (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
    fn of_error(error: &str) -> Self {
        info!("login_refused: the provider says {}", token::word(error));
        match error {
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Denied,
        }
    }

    fn reply(self) -> Reply {
        match self {
            Self::Bad(word) => {
                info!("{word}: a login that did not begin here comes back");
                failed(400, "This login is over, or began in another browser. Please try again")
            }
            Self::Token(word) => {
                warn!("{word}: a login ends without a good ID token");
                failed(401, "The login has failed. Please try again")
            }
            Self::Denied => failed(403, "The identity provider has refused the login"),
            Self::Unavailable => refusal::unavailable(),
            Self::Unexpected(error) => auth::unexpected(error),
            Self::Refused(reply) => reply,
        }
    }
}

impl From<Failed> for Why {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused => Self::Token("code_refused"),
            Failed::Unavailable => Self::Unavailable,
        }
    }
}

impl From<Bad> for Why {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Token(word) => Self::Token(word),
            Bad::Unavailable => Self::Unavailable,
        }
    }
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        Self::Unexpected(error)
    }
}
