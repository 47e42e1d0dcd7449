//! Who is let in, by a session or by a token.

use std::rc::Rc;

use plugin_sdk::{contract, prelude::*, serde_json};

use crate::{
    Openid,
    cookies::{Jar, belongs},
    id_token,
    identity::{Identity, Shown},
    refresh::Refreshed,
    refusal::Refused,
    session::{Found, Session},
    sessions::Look,
    steps::{Job, Step},
};

impl Openid {
    /// What a session's cookie comes to; nothing where there is none that counts.
    pub(crate) fn session_step(&self, request: &mut Request, jar: &Jar<'_>) -> Result<Option<Step>, Error> {
        let now = time::now().as_secs();
        let found = match self.keeps.then(|| self.sessions.look(&self.keys, jar)).transpose()? {
            None | Some(Look::Nothing) => return Ok(None),
            Some(Look::Ask(name)) => return Ok(Some(Step::Left(Job::Session(name)))),
            Some(Look::Found(found)) => found,
        };
        let Some(session) = self.sessions.alive(&self.keys, &found, now)? else { return Ok(None) };
        match self.state(&session, now) {
            State::Over => Ok(None),
            State::Renew => {
                drop(session);
                Ok(Some(Step::Left(Job::Refresh(found))))
            }
            State::Good => Ok(Some(Step::Done(self.admit_session(request, &session, &[], jar)))),
            State::Due => {
                let cookies = self.sessions.write_now(&self.keys, &used(session, now)?, &found, jar)?;
                let session = found.session().ok_or(Error::Failed)?;
                Ok(Some(Step::Done(self.admit_session(request, &session, &cookies, jar))))
            }
        }
    }

    /// The same for a session that a server has.
    pub(crate) async fn session_there(
        &self,
        name: String,
        request: &mut Request,
        jar: &Jar<'_>,
    ) -> Result<Flow, Error> {
        let now = time::now().as_secs();
        let found = self.sessions.ask(&self.keys, name, now).await?;
        let Some((found, session)) = found.as_ref().and_then(|found| Some((found, found.session()?))) else {
            return Ok(self.nobody_here(request, jar).await);
        };
        match self.state(&session, now) {
            State::Over => Ok(self.nobody_here(request, jar).await),
            State::Renew => self.renew(found, request, jar).await,
            State::Good => Ok(self.admit_session(request, &session, &[], jar)),
            State::Due => {
                let bytes = used(session, now)?;
                let cookies = self.sessions.write(&self.keys, &bytes, found, jar).await?;
                let session = found.session().ok_or(Error::Failed)?;
                Ok(self.admit_session(request, &session, &cookies, jar))
            }
        }
    }

    fn state(&self, session: &Session<'_>, now: u64) -> State {
        if session.expires != 0 && now >= session.expires {
            let renews = self.refreshes && !session.refresh_token.is_empty();
            return if renews { State::Renew } else { State::Over };
        }
        if self.sessions.is_due(session, now) { State::Due } else { State::Good }
    }

    fn admit_session(
        &self,
        request: &mut Request,
        session: &Session<'_>,
        cookies: &[String],
        jar: &Jar<'_>,
    ) -> Flow {
        // Other rules than those it was judged by: those of another route, or of today.
        let judged = if self.rules.are_those_of(&session.identity) {
            Ok(None)
        } else {
            let user = serde_json::from_str(session.user_info).ok();
            let scope = Some(session.scope).filter(|scope| !scope.is_empty());
            let claims = id_token::said(session.id_token);
            self.judge(session.access_token, scope, &claims, user.as_ref()).map(Some)
        };
        let admitted = judged.and_then(|judged| {
            let shown = Shown { access_token: session.access_token, id_token: session.id_token };
            self.rules.admit(request, judged.as_ref().unwrap_or(&session.identity), Some(shown))
        });
        if let Err(refused) = admitted {
            return self.refuse(request, &refused);
        }
        self.keep_cookies(request, jar);
        if !cookies.is_empty() {
            let fields = cookies.iter().map(|cookie| ("set-cookie", cookie.as_str()));
            // Nobody on the way keeps a session for others, whatever the upstream says of its answer.
            let fields: Vec<_> = fields.chain([("cache-control", "no-store")]).collect();
            request.set_response_headers(&fields);
        }
        Flow::Continue
    }

    /// Takes what logs in here off the request: it is nothing for those behind.
    fn keep_cookies(&self, request: &mut Request, jar: &Jar<'_>) {
        let is_ours = |name: &str| {
            belongs(name, &self.sessions.cookie) || self.logins.is_own(name) || self.bearer.hides_cookie(name)
        };
        if !jar.iter().any(|(name, _)| is_ours(name)) {
            return;
        }
        match jar.without(is_ours) {
            Some(left) => request.set_header("cookie", &left),
            None => request.remove_header("cookie"),
        }
    }

    pub(crate) fn admit_bearer(
        &self,
        request: &mut Request,
        judged: Result<Rc<Identity>, Refused>,
        jar: &Jar<'_>,
    ) -> Flow {
        match judged.and_then(|identity| self.rules.admit(request, &identity, None)) {
            Ok(()) => {
                self.keep_cookies(request, jar);
                self.bearer.hide(request);
                Flow::Continue
            }
            Err(refused) => self.refuse(request, &refused),
        }
    }

    /// A session whose access token is over.
    pub(crate) async fn renew(
        &self,
        found: &Found,
        request: &mut Request,
        jar: &Jar<'_>,
    ) -> Result<Flow, Error> {
        let (Some(client), Some(session)) = (&self.client, found.session()) else {
            return Err(Error::Failed);
        };
        match self.refresh(client, &session).await? {
            Refreshed::Kept => Ok(self.admit_session(request, &session, &[], jar)),
            Refreshed::Renewed(bytes) => {
                let cookies = self.sessions.write(&self.keys, &bytes, found, jar).await?;
                let renewed: Option<Session<'_>> = contract::decode(&bytes);
                Ok(self.admit_session(request, &renewed.ok_or(Error::Failed)?, &cookies, jar))
            }
            Refreshed::Over => {
                self.sessions.end(found).await?;
                Ok(self.nobody_here(request, jar).await)
            }
        }
    }
}

/// How a session stands.
enum State {
    Good,
    /// It is to be written again, as it is used.
    Due,
    /// Its access token is over, and may be made anew.
    Renew,
    Over,
}

/// The bytes of a session that is used now.
fn used(mut session: Session<'_>, now: u64) -> Result<Vec<u8>, Error> {
    session.used = now;
    contract::encode(&session, Vec::new()).map_err(|_| Error::Failed)
}
