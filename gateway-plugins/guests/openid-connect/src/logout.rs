//! Logouts: by the user here (RP-Initiated Logout 1.0), and by the provider (Back-Channel Logout 1.0).

use plugin_sdk::{
    form,
    jwt::{Judged, Refusal},
    kv::{Only, Outcome},
    prelude::*,
    serde_json::{self, Value},
};

use crate::{
    Openid, client,
    config::Config,
    cookies::Jar,
    id_token::word,
    refusal::{self, redirect},
    token::with_query,
};

/// How users log out.
#[derive(Debug)]
pub(crate) struct Logouts {
    suffix: Option<String>,
    argument: Option<String>,
    methods: Vec<String>,
    then: Option<String>,
    /// Where the provider tells of logouts.
    pub(crate) path: Option<String>,
}

impl Logouts {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            suffix: config.logout_uri_suffix.clone().filter(|suffix| !suffix.is_empty()),
            argument: config.logout_query_arg.clone(),
            methods: config.logout_methods.clone(),
            then: config.logout_redirect_uri.as_ref().and_then(|uris| uris.first().cloned()),
            path: config.backchannel_logout_path.clone(),
        }
    }

    /// Whether there is anything to look for.
    pub(crate) fn are_there(&self) -> bool {
        self.suffix.is_some() || self.argument.is_some() || self.path.is_some()
    }

    /// Whether a request logs its user out.
    pub(crate) fn is_one(&self, request: &Request, path: &str, query: &str) -> bool {
        let here = self.suffix.as_ref().is_some_and(|suffix| path.ends_with(suffix.as_str()))
            || self.argument.as_ref().is_some_and(|own| form::pairs(query).any(|(name, _)| name == **own));
        here && self.methods.iter().any(|method| request.method() == **method)
    }
}

/// Seconds since a logout token was made, at most.
const RECENT: u64 = 300;
/// Seconds for which a logout token is known.
const NOTED: u32 = 600;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl Openid {
    /// Ends the session of a request, here and at the provider.
    pub(crate) async fn log_out(&self, request: &Request, jar: &Jar<'_>) -> Reply {
        if client::comes_from_elsewhere(request) {
            info!("logout_of_another_site: a request that another site had the browser send");
            return Reply::refuse(403, "Another site cannot log you out");
        }
        match self.try_log_out(request, jar).await {
            Ok(reply) => reply,
            Err(error) => refusal::unexpected(error),
        }
    }

    async fn try_log_out(&self, request: &Request, jar: &Jar<'_>) -> Result<Reply, Error> {
        let found = self.sessions.find(&self.keys, jar, time::now().as_secs()).await?;
        if let Some(found) = &found {
            self.sessions.end(found).await?;
        }
        let mode = request.header("sec-fetch-mode");
        let reply = if mode.is_some_and(|mode| mode != "navigate") {
            // A script would follow the redirect to the provider, and get nothing of it.
            Reply::new(204)
        } else {
            let session = found.as_ref().and_then(|found| found.session());
            redirect(self.after_logout(session.map(|session| session.id_token)).await)
        };
        let reply = reply.header("clear-site-data", "\"cache\"");
        Ok(self
            .sessions
            .none(jar)
            .into_iter()
            .fold(reply, |reply, cookie| reply.header("set-cookie", cookie)))
    }

    /// Where the user goes then: to the provider, if it has an end for it.
    async fn after_logout(&self, id_token: Option<&str>) -> String {
        let then = self.logouts.then.as_deref();
        let provider = self.discovery.provider().await;
        let end = provider.as_ref().and_then(|provider| provider.metadata.end_session_endpoint.as_deref());
        let (Some(end), Some(id_token), Some(client)) = (end, id_token, &self.client) else {
            return then.unwrap_or("/").to_owned();
        };
        let mut fields = vec![("client_id", client.id.as_str())];
        // The hint is for a login of this client; a long one would not fit into an address.
        fields.extend((id_token.len() <= HINT).then_some(("id_token_hint", id_token)));
        fields.extend(then.map(|then| ("post_logout_redirect_uri", then)));
        with_query(end, &fields)
    }

    /// The provider says that a user has logged out.
    pub(crate) async fn provider_logs_out(&self, mut request: Request) -> Reply {
        let body = request.body().await;
        let form = Query::parse(&body);
        let said = match (form.values("logout_token").count(), form.get("logout_token")) {
            (1, Some(token)) => self.heed(token).await,
            _ => Err(Unheeded::Bad("logout_token_missing")),
        };
        let reply = match said {
            Ok(()) => Reply::new(200),
            Err(Unheeded::Unavailable) => refusal::unavailable(),
            Err(Unheeded::Bad(word)) => {
                warn!("{word}: a logout that the provider did not tell");
                Reply::new(400).with_body("application/json", r#"{"error":"invalid_request"}"#)
            }
        };
        reply.header("cache-control", "no-store")
    }

    /// Back-Channel Logout 1.0, section 2.6.
    async fn heed(&self, token: &str) -> Result<(), Unheeded> {
        let provider = self.discovery.provider().await.ok_or(Unheeded::Unavailable)?;
        let verifier = provider.logout_tokens.ok_or(Unheeded::Bad("client_missing"))?;
        let read = |judged: Judged<'_>| match judged {
            Ok(good) => serde_json::from_str::<Value>(good.claims).map_err(|_| Unheeded::Bad("not_json")),
            Err(Refusal::Unavailable) => Err(Unheeded::Unavailable),
            Err(refusal) => Err(Unheeded::Bad(word(&refusal))),
        };
        let claims = verifier.verify(token, read).await.map_err(|_| Unheeded::Unavailable)??;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let now = time::now().as_secs();
        if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
            return Err(Unheeded::Bad("logout_event_missing"));
        }
        if claims.get("nonce").is_some() {
            return Err(Unheeded::Bad("logout_nonce"));
        }
        let made = claims.get("iat").and_then(Value::as_u64).ok_or(Unheeded::Bad("logout_iat"))?;
        if made + RECENT < now || made > now + 60 {
            return Err(Unheeded::Bad("logout_iat"));
        }
        let id = text("jti").ok_or(Unheeded::Bad("logout_jti"))?;
        let key = format!("{} {id}", self.keys.client());
        let once = self.sessions.kept.set("logout-tokens", &key, b"", NOTED, Only::Absent).await;
        if matches!(once, Ok(Outcome::Refused(_))) {
            return Err(Unheeded::Bad("logout_replayed"));
        }
        let (kind, whose) = match (text("sid"), text("sub")) {
            (Some(session), _) => ("sid", session),
            (None, Some(subject)) => ("sub", subject),
            (None, None) => return Err(Unheeded::Bad("logout_of_nobody")),
        };
        match self.sessions.log_out(&self.keys, kind, whose, now).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Unheeded::Unavailable),
        }
    }
}

/// Bytes of an ID token that goes into an address.
const HINT: usize = 4096;

/// Why a logout is not heeded.
enum Unheeded {
    Bad(&'static str),
    Unavailable,
}
