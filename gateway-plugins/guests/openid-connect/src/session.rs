//! Sessions: what a browser's cookie stands for.

use plugin_sdk::{
    contract,
    kv::{self, Only, Outcome},
    prelude::*,
    serde_json::{Value, json},
};
use serde::{Deserialize, Serialize};

use crate::{
    Openid,
    config::Config,
    cookies::{self, Jar, PIECES, Scope},
    id_token,
    identity::Identity,
    random,
    refusal::Refused,
    sealed::Keys,
    token::Tokens,
};

/// A session, read where its bytes lie. Times are seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session<'s> {
    /// What it is known by when it is over before its time.
    pub(crate) name: &'s str,
    /// When the user logged in.
    pub(crate) begun: u64,
    /// When it was last written.
    pub(crate) used: u64,
    /// When the access token is no longer used; 0 where its end is not known.
    pub(crate) expires: u64,
    pub(crate) subject: &'s str,
    /// The provider's own session; empty where it does not say.
    pub(crate) provider_session: &'s str,
    pub(crate) id_token: &'s str,
    pub(crate) access_token: &'s str,
    /// Empty where there is none.
    pub(crate) refresh_token: &'s str,
    /// The scopes of the access token, as the provider said beside it.
    pub(crate) scope: &'s str,
    /// What the provider says of the user: JSON, or empty.
    pub(crate) user_info: &'s str,
    pub(crate) identity: Identity,
}

/// The bytes of a session that is there.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) bytes: Vec<u8>,
    /// Where it is kept: the digest of the cookie's value, and which version it is; none where it is in the cookie.
    kept: Option<(String, u64)>,
}

impl Found {
    pub(crate) fn session(&self) -> Option<Session<'_>> {
        contract::decode(&self.bytes)
    }
}

/// How sessions are kept.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) cookie: String,
    scope: Scope,
    local: bool,
    idle: u64,
    absolute: u32,
    /// Seconds after which a session that is used is written again.
    touch: u64,
    /// Whether the provider tells of logouts.
    told: bool,
}

/// Seconds by which a refresh comes before the end, at most.
const AHEAD: u64 = 10;
const PURPOSE: &str = "openid-connect session 1";
/// Namespaces of what is kept.
const SESSIONS: &str = "sessions";
const ENDED: &str = "ended";
const LOGGED_OUT: &str = "logged-out";

impl Sessions {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let scope = Scope::new(
            &config.session_cookie_path,
            config.session_cookie_domain.as_deref(),
            &config.session_cookie_same_site,
            config.session_cookie_secure,
        )?;
        let idle = config.session_idling_timeout.min(config.session_rolling_timeout);
        Ok(Self {
            cookie: scope.name(&config.session_cookie_name),
            scope,
            local: config.session_storage == "local",
            idle: idle.into(),
            absolute: config.session_absolute_timeout,
            touch: (u64::from(idle) / 4).clamp(1, 60),
            told: config.backchannel_logout_path.is_some(),
        })
    }

    /// The session of a request, if it has one that counts.
    pub(crate) fn find(&self, keys: &Keys, jar: Jar<'_>, now: u64) -> Result<Option<Found>, Error> {
        let Some(value) = jar.whole(&self.cookie) else { return Ok(None) };
        let found = if self.local {
            let key = random::digest(&value)?;
            kv::get(SESSIONS, &key)?.map(|(bytes, version)| Found { bytes, kept: Some((key, version)) })
        } else {
            let bytes = keys.open(PURPOSE, &value, |plain| Some(plain.to_vec()))?;
            bytes.map(|bytes| Found { bytes, kept: None })
        };
        let Some(found) = found else {
            info!("session_unknown: a session's cookie that nothing is known of");
            return Ok(None);
        };
        let alive = found.session().map_or(Ok(false), |session| self.is_alive(keys, &session, now))?;
        Ok(alive.then_some(found))
    }

    fn is_alive(&self, keys: &Keys, session: &Session<'_>, now: u64) -> Result<bool, Error> {
        let in_time = now < session.begun + u64::from(self.absolute) && now < session.used + self.idle;
        if !in_time || kv::get(ENDED, session.name)?.is_some() {
            return Ok(false);
        }
        if !self.told {
            return Ok(true);
        }
        let since = |whose: &str| -> Result<bool, Error> {
            let told = kv::get(LOGGED_OUT, whose)?;
            Ok(told
                .and_then(|(time, _)| contract::decode::<u64>(&time))
                .is_some_and(|time| session.begun <= time))
        };
        let mine =
            |kind, id: &str| if id.is_empty() { Ok(false) } else { since(&logged_out(keys, kind, id)) };
        Ok(!(mine("sid", session.provider_session)? || mine("sub", session.subject)?))
    }

    /// Whether it is to be written again.
    pub(crate) fn is_due(&self, session: &Session<'_>, now: u64) -> bool {
        now.saturating_sub(session.used) >= self.touch
    }

    /// The cookies of a session that is new, or has changed. One that is kept here stays where it is.
    pub(crate) fn write(
        &self,
        keys: &Keys,
        bytes: &[u8],
        before: Option<&Found>,
        jar: Jar<'_>,
    ) -> Result<Vec<String>, Error> {
        if !self.local {
            let value = keys.seal(PURPOSE, bytes)?;
            let Some(pieces) = cookies::pieces(&self.cookie, &value) else {
                error!("session_too_large: {} bytes, see session_storage", value.len());
                return Err(Error::Failed);
            };
            let beyond = (pieces.len()..PIECES).map(|at| cookies::piece(&self.cookie, at));
            let beyond = beyond.filter(|name| jar.get(name).is_some()).map(|name| self.scope.none(&name));
            let written = pieces.iter().map(|(name, value)| self.scope.cookie(name, value, None));
            return Ok(written.chain(beyond).collect());
        }
        let ttl = Some(u32::try_from(self.idle).unwrap_or(u32::MAX));
        if let Some((key, version)) = before.and_then(|found| found.kept.as_ref()) {
            // One that has ended meanwhile, or has been written by somebody else, stays as it is.
            kv::set(SESSIONS, key, bytes, ttl, Only::Version(*version))?;
            return Ok(Vec::new());
        }
        let value = random::text()?;
        match kv::set(SESSIONS, &random::digest(&value)?, bytes, ttl, Only::Absent)? {
            Outcome::Done(_) => Ok(vec![self.scope.cookie(&self.cookie, &value, None)]),
            Outcome::Refused(_) | Outcome::Full => {
                error!("session_storage_full: there is no room for another session");
                Err(Error::Failed)
            }
        }
    }

    /// Ends a session before its time: a copy of its cookie is worth nothing from now on.
    pub(crate) fn end(&self, found: &Found) -> Result<(), Error> {
        if let Some((key, _)) = &found.kept {
            kv::delete(SESSIONS, key, Only::Always)?;
        }
        if let Some(session) = found.session() {
            let ttl = u32::try_from(self.idle).unwrap_or(u32::MAX);
            kv::set(ENDED, session.name, b"", Some(ttl), Only::Always)?;
        }
        Ok(())
    }

    /// What takes the cookies of a request away.
    pub(crate) fn none(&self, jar: Jar<'_>) -> Vec<String> {
        let ours = jar.iter().filter(|(name, _)| cookies::belongs(name, &self.cookie));
        ours.map(|(name, _)| self.scope.none(name)).collect()
    }

    /// The provider says that a user has logged out: all sessions from before are over.
    pub(crate) fn log_out(&self, keys: &Keys, kind: &str, id: &str, now: u64) -> Result<bool, Error> {
        let time = contract::encode(&now, Vec::new()).map_err(|_| Error::Failed)?;
        let set = kv::set(LOGGED_OUT, &logged_out(keys, kind, id), &time, Some(self.absolute), Only::Always)?;
        Ok(matches!(set, Outcome::Done(_)))
    }
}

/// Whose logout it is: users of one provider are not those of another one.
fn logged_out(keys: &Keys, kind: &str, id: &str) -> String {
    format!("{} {kind} {id}", keys.client())
}

impl Openid {
    /// The bytes of a session, if its user may have one. `before` is the refresh token so far.
    pub(crate) fn session(
        &self,
        begun: &Begun<'_>,
        tokens: &Tokens,
        claims: &Value,
        user: Option<&Value>,
        before: &str,
    ) -> Result<Vec<u8>, Refused> {
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
        contract::encode(&session, Vec::new()).map_err(|_| Refused::Unexpected)
    }

    /// Judges the tokens of a login. Where an access token cannot be read, its scopes are those that came with it.
    pub(crate) fn judge(
        &self,
        access_token: &str,
        scope: Option<&str>,
        claims: &Value,
        user: Option<&Value>,
    ) -> Result<Identity, Refused> {
        let mut access = id_token::said(access_token);
        if !access.is_object() {
            access = json!({});
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
