//! Sessions: what a browser's cookie stands for.

use std::rc::Rc;

use plugin_sdk::{
    contract, join,
    kv::{self, Only, Outcome, Server},
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
    kept::Kept,
    known::Known,
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
    pub(crate) bytes: Rc<[u8]>,
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
    /// Whether they are in the cookie, and not beside it.
    sealed: bool,
    /// What is in cookies that came before.
    opened: Known<[u8]>,
    /// Where they are otherwise, and what belongs to them.
    pub(crate) kept: Kept,
    idle: u64,
    absolute: u32,
    /// Seconds after which a session that is used is written again.
    touch: u64,
    /// Whether the provider tells of logouts.
    told: bool,
}

/// What a request's cookies come to.
pub(crate) enum Look {
    Nothing,
    Found(Found),
    /// A server has to be asked for the session of this name.
    Ask(String),
}

/// Seconds by which a refresh comes before the end, at most.
const AHEAD: u64 = 10;
const PURPOSE: &str = "openid-connect session 1";
/// Namespaces of what is kept.
const SESSIONS: &str = "sessions";
const ENDED: &str = "ended";
const LOGGED_OUT: &str = "logged-out";

impl Sessions {
    pub(crate) fn new(config: &Config, keys: &Rc<Keys>) -> Result<Self, String> {
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
            sealed: config.session_storage == "cookie",
            opened: Known::default(),
            kept: kept(config, keys)?,
            idle: idle.into(),
            absolute: config.session_absolute_timeout,
            touch: (u64::from(idle) / 4).clamp(1, 60),
            told: config.backchannel_logout_path.is_some(),
        })
    }

    /// The session of a request, if it has one that counts.
    pub(crate) async fn find(&self, keys: &Keys, jar: &Jar<'_>, now: u64) -> Result<Option<Found>, Error> {
        match self.look(keys, jar)? {
            Look::Nothing => Ok(None),
            Look::Found(found) => {
                let alive = self.alive(keys, &found, now)?.is_some();
                Ok(alive.then_some(found))
            }
            Look::Ask(name) => self.ask(keys, name, now).await,
        }
    }

    /// The same as far as nobody has to be asked. Whether it counts, [`alive`](Self::alive) says.
    pub(crate) fn look(&self, keys: &Keys, jar: &Jar<'_>) -> Result<Look, Error> {
        let Some(value) = jar.whole(&self.cookie) else { return Ok(Look::Nothing) };
        let found = if self.sealed {
            self.open(keys, &value)?.map(|bytes| Found { bytes, kept: None })
        } else {
            let key = random::digest(&value)?;
            if matches!(self.kept, Kept::There(..)) {
                return Ok(Look::Ask(key));
            }
            let kept = kv::get(SESSIONS, &key)?;
            kept.map(|(bytes, version)| Found { bytes: bytes.into(), kept: Some((key, version)) })
        };
        Ok(found.map_or_else(
            || {
                unknown();
                Look::Nothing
            },
            Look::Found,
        ))
    }

    /// What is in a cookie.
    fn open(&self, keys: &Keys, value: &str) -> Result<Option<Rc<[u8]>>, Error> {
        if let Some(known) = self.opened.get(value) {
            return Ok(Some(known));
        }
        let bytes = keys.open(PURPOSE, value, |plain| Some(Rc::from(plain)))?;
        bytes.iter().for_each(|bytes| self.opened.put(value, bytes));
        Ok(bytes)
    }

    /// A session that a server has.
    pub(crate) async fn ask(&self, keys: &Keys, name: String, now: u64) -> Result<Option<Found>, Error> {
        let Some((bytes, version)) = self.kept.get(SESSIONS, &name).await? else {
            unknown();
            return Ok(None);
        };
        let found = Found { bytes: bytes.into(), kept: Some((name, version)) };
        let Some(session) = found.session().filter(|session| self.is_in_time(session, now)) else {
            return Ok(None);
        };
        let [mine, all] = self.logouts(keys, &session);
        let (mine, all) = join(self.told(mine), self.told(all)).await;
        let over = is_over(&session, mine?.as_deref()) || is_over(&session, all?.as_deref());
        Ok((!over).then_some(found))
    }

    fn is_in_time(&self, session: &Session<'_>, now: u64) -> bool {
        now < session.begun + u64::from(self.absolute) && now < session.used + self.idle
    }

    /// A session that is not on a server, if it counts.
    pub(crate) fn alive<'f>(
        &self,
        keys: &Keys,
        found: &'f Found,
        now: u64,
    ) -> Result<Option<Session<'f>>, Error> {
        let Some(session) = found.session().filter(|session| self.is_in_time(session, now)) else {
            return Ok(None);
        };
        if kv::get(ENDED, session.name)?.is_some() {
            return Ok(None);
        }
        for whose in self.logouts(keys, &session).iter().flatten() {
            let told = kv::get(LOGGED_OUT, whose)?;
            if is_over(&session, told.as_ref().map(|(time, _)| time.as_slice())) {
                return Ok(None);
            }
        }
        Ok(Some(session))
    }

    /// The logouts that end a session, if the provider tells of any: of its own, and of all of its user's.
    fn logouts(&self, keys: &Keys, session: &Session<'_>) -> [Option<String>; 2] {
        [("sid", session.provider_session), ("sub", session.subject)]
            .map(|(kind, id)| (self.told && !id.is_empty()).then(|| logged_out(keys, kind, id)))
    }

    async fn told(&self, whose: Option<String>) -> Result<Option<Vec<u8>>, Error> {
        let Some(whose) = whose else { return Ok(None) };
        Ok(self.kept.get(LOGGED_OUT, &whose).await?.map(|(time, _)| time))
    }

    /// Whether it is to be written again.
    pub(crate) fn is_due(&self, session: &Session<'_>, now: u64) -> bool {
        now.saturating_sub(session.used) >= self.touch
    }

    /// The cookies of a session that is new. One that is kept beside them has its name there.
    pub(crate) async fn begin(&self, keys: &Keys, bytes: &[u8], jar: &Jar<'_>) -> Result<Vec<String>, Error> {
        if self.sealed {
            return self.seal(keys, bytes, jar);
        }
        let value = random::text()?;
        let key = random::digest(&value)?;
        match self.kept.set(SESSIONS, &key, bytes, self.lifetime(), Only::Absent).await? {
            Outcome::Done(_) => Ok(vec![self.scope.cookie(&self.cookie, &value, None)]),
            Outcome::Refused(_) | Outcome::Full => {
                error!("session_storage_full: there is no room for another session");
                Err(Error::Failed)
            }
        }
    }

    /// The cookies of a session that has changed. One that is kept stays where it is, and as it is where it has ended
    /// meanwhile, or has been written by somebody else.
    pub(crate) async fn write(
        &self,
        keys: &Keys,
        bytes: &[u8],
        before: &Found,
        jar: &Jar<'_>,
    ) -> Result<Vec<String>, Error> {
        let Some((key, version)) = &before.kept else { return self.seal(keys, bytes, jar) };
        let kept = self.kept.set(SESSIONS, key, bytes, self.lifetime(), Only::Version(*version));
        match kept.await {
            // It was there to be read: what has changed can be written the next time.
            Ok(_) | Err(Error::Unavailable) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// [`write`](Self::write) for a session that is not on a server.
    pub(crate) fn write_now(
        &self,
        keys: &Keys,
        bytes: &[u8],
        before: &Found,
        jar: &Jar<'_>,
    ) -> Result<Vec<String>, Error> {
        let Some((key, version)) = &before.kept else { return self.seal(keys, bytes, jar) };
        kv::set(SESSIONS, key, bytes, Some(self.lifetime()), Only::Version(*version))?;
        Ok(Vec::new())
    }

    fn seal(&self, keys: &Keys, bytes: &[u8], jar: &Jar<'_>) -> Result<Vec<String>, Error> {
        let value = keys.seal(PURPOSE, bytes)?;
        let Some(pieces) = cookies::pieces(&self.cookie, &value) else {
            error!("session_too_large: {} bytes, see session_storage", value.len());
            return Err(Error::Failed);
        };
        let beyond = (pieces.len()..PIECES).map(|at| cookies::piece(&self.cookie, at));
        let beyond = beyond.filter(|name| jar.get(name).is_some()).map(|name| self.scope.none(&name));
        let written = pieces.iter().map(|(name, value)| self.scope.cookie(name, value, None));
        Ok(written.chain(beyond).collect())
    }

    /// Seconds for which what is kept stays.
    fn lifetime(&self) -> u32 {
        u32::try_from(self.idle).unwrap_or(u32::MAX)
    }

    /// Ends a session before its time: a copy of its cookie is worth nothing from now on.
    pub(crate) async fn end(&self, found: &Found) -> Result<(), Error> {
        if let Some((key, _)) = &found.kept {
            self.kept.delete(SESSIONS, key, Only::Always).await?;
        }
        if let Some(session) = found.session().filter(|_| self.sealed) {
            kv::set(ENDED, session.name, b"", Some(self.lifetime()), Only::Always)?;
        }
        Ok(())
    }

    /// What takes the cookies of a request away.
    pub(crate) fn none(&self, jar: &Jar<'_>) -> Vec<String> {
        let ours = jar.iter().filter(|(name, _)| cookies::belongs(name, &self.cookie));
        ours.map(|(name, _)| self.scope.none(name)).collect()
    }

    /// The provider says that a user has logged out: all sessions from before are over.
    pub(crate) async fn log_out(&self, keys: &Keys, kind: &str, id: &str, now: u64) -> Result<bool, Error> {
        let time = contract::encode(&now, Vec::new()).map_err(|_| Error::Failed)?;
        let whose = logged_out(keys, kind, id);
        let set = self.kept.set(LOGGED_OUT, &whose, &time, self.absolute, Only::Always).await?;
        Ok(matches!(set, Outcome::Done(_)))
    }
}

/// Where sessions and what belongs to them are kept.
fn kept(config: &Config, keys: &Rc<Keys>) -> Result<Kept, String> {
    if config.session_storage != "redis" {
        return Ok(Kept::Here);
    }
    if config.session_secret.is_none() {
        return Err(
            "session_secret: required for session_storage redis: all nodes must have the same".to_owned()
        );
    }
    let (redis, prefix) = config.redis.server();
    let server = Server::new(redis, prefix).map_err(|error| format!("redis: {error}"))?;
    Ok(Kept::There(server, Rc::clone(keys)))
}

fn unknown() {
    info!("session_unknown: a session's cookie that nothing is known of");
}

/// Whether a logout at that time is one of the session's user.
fn is_over(session: &Session<'_>, told: Option<&[u8]>) -> bool {
    told.and_then(contract::decode::<u64>).is_some_and(|time| session.begun <= time)
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
