//! The way back from the provider: what becomes a session, and what does not (RFC 9207; RFC 9700).

use plugin_sdk::{
    contract,
    kv::{Only, Outcome},
    prelude::*,
    serde_json::Value,
};

use crate::{
    Openid,
    cookies::Jar,
    id_token::{self, Bad, Expected},
    login::{PURPOSE, Pending},
    provider::Provider,
    random,
    refusal::{self, failed, redirect},
    session::Begun,
    token::{self, Client, Failed},
};

impl Openid {
    /// The user comes back from the provider.
    pub(crate) async fn end_login(&self, query: &Query, jar: &Jar<'_>) -> Reply {
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
        jar: &Jar<'_>,
        cookie: Option<&str>,
    ) -> Result<Reply, Why> {
        let now = time::now().as_secs();
        let pending = self.pending(query, jar, cookie, now).await?;
        let pending: Pending<'_> = contract::decode(&pending).ok_or(Why::Bad("state_cookie"))?;
        let provider = self.discovery.provider().await.ok_or(Why::Unavailable)?;
        let code = code(query, &provider)?;
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
            since: self.logins.since(&pending, self.leeway),
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
        if let Some(before) = self.sessions.find(&self.keys, jar, now).await? {
            self.sessions.end(&before).await?;
        }
        let then = self.logins.then.as_deref().unwrap_or(pending.path);
        let cookies = self.sessions.begin(&self.keys, &session, jar).await?;
        Ok(cookies.into_iter().fold(redirect(then), |reply, cookie| reply.header("set-cookie", cookie)))
    }

    /// The login that this browser has begun, and nobody has ended yet.
    async fn pending(
        &self,
        query: &Query,
        jar: &Jar<'_>,
        cookie: Option<&str>,
        now: u64,
    ) -> Result<Vec<u8>, Why> {
        let state = argument(query, "state")?.ok_or(Why::Bad("state_missing"))?;
        let sealed = cookie.and_then(|name| jar.get(name)).ok_or(Why::Bad("state_of_another_browser"))?;
        let bytes = self.keys.open(PURPOSE, sealed, |plain| Some(plain.to_vec()))?;
        let bytes = bytes.ok_or(Why::Bad("state_cookie"))?;
        let pending: Pending<'_> = contract::decode(&bytes).ok_or(Why::Bad("state_cookie"))?;
        if !plugin_sdk::crypto::equal(pending.state.as_bytes(), state.as_bytes())? {
            return Err(Why::Bad("state_mismatch"));
        }
        if now >= pending.begun + u64::from(self.logins.lifetime) {
            return Err(Why::Bad("state_expired"));
        }
        // Once; a code is good for one time as well, should there be no room to note this.
        let once = self.sessions.kept.set("states", state, b"", self.logins.lifetime, Only::Absent);
        if matches!(once.await?, Outcome::Refused(_)) {
            return Err(Why::Bad("state_replayed"));
        }
        Ok(bytes)
    }

    /// What the provider says of the user beside the ID token. It must be of the same user (OpenID Connect Core 1.0,
    /// section 5.3.2).
    async fn user(
        &self,
        client: &Client,
        provider: &Provider,
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
}

/// The code that the provider has sent, if it is this provider that sends it.
fn code<'q>(query: &'q Query, provider: &Provider) -> Result<&'q str, Why> {
    // Who answers is who was asked (RFC 9207, section 2.4).
    match argument(query, "iss")? {
        Some(issuer) if issuer == provider.metadata.issuer => {}
        None if !provider.metadata.authorization_response_iss_parameter_supported => {}
        _ => return Err(Why::Bad("issuer_mismatch")),
    }
    match argument(query, "error")? {
        Some(error) => Err(Why::of_error(error)),
        None => argument(query, "code")?.ok_or(Why::Bad("code_missing")),
    }
}

/// An argument that stands there once, if at all.
fn argument<'q>(query: &'q Query, name: &str) -> Result<Option<&'q str>, Why> {
    match (query.values(name).count(), query.get(name)) {
        (0, _) => Ok(None),
        (1, value) => Ok(value),
        _ => Err(Why::Bad("argument_twice")),
    }
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
            Self::Unexpected(error) => refusal::unexpected(error),
            Self::Refused(reply) => reply,
        }
    }
}

impl From<Failed> for Why {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused => Self::Token("code_refused"),
            Failed::Unavailable | Failed::Unreachable => Self::Unavailable,
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
