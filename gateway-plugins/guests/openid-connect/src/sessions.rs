//! How sessions are kept, and found again.

use std::rc::Rc;

use plugin_sdk::{
    contract, join,
    kv::{self, Only, Outcome, Server},
    prelude::*,
};

use crate::{
    config::Config,
    cookies::{self, Jar, PIECES, Scope},
    kept::Kept,
    known::Known,
    random,
    sealed::Keys,
    session::{Found, Session},
};

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
