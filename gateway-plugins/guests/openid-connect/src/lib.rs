//! Logs users in at an identity provider (OpenID Connect), and admits its tokens.
//!
//! `config` is what the operator says. `provider` is who is asked (`metadata`, `reach`), `token` asks. `login` sends users there, `callback` takes
//! them back (`id_token`), `session` keeps them (`kept`), `refresh` renews what they have, `logout` ends it. `bearer` admits programs.
//! `identity` is what all of it comes to; `cookies`, `sealed`, `known`, `claims`, `client`, `lock`,
//! `random` and `refusal` are the tools.

mod bearer;
mod callback;
mod claims;
mod client;
mod config;
mod cookies;
mod id_token;
mod identity;
mod kept;
mod known;
mod lock;
mod login;
mod logout;
mod metadata;
mod provider;
mod random;
mod reach;
mod refresh;
mod refusal;
mod sealed;
mod session;
mod token;

use std::{rc::Rc, time::Duration};

use auth::{Otherwise, passes_preflight};
use plugin_sdk::{Only, Outcome, prelude::*, serde_json};

use crate::{
    bearer::{Bearer, Token},
    cookies::{Jar, belongs},
    identity::{Identity, Rules, Shown},
    login::Logins,
    logout::Logouts,
    provider::Discovery,
    refresh::Refreshed,
    refusal::{Refused, Words},
    sealed::Keys,
    session::{Found, Look, Session, Sessions},
    token::Client,
};

pub use config::Config;

/// The plugin.
pub struct Openid {
    discovery: Discovery,
    client: Option<Client>,
    keys: Rc<Keys>,
    logins: Logins,
    sessions: Sessions,
    logouts: Logouts,
    bearer: Bearer,
    rules: Rules,
    words: Words,
    otherwise: Otherwise,
    /// Whether browsers are sent to the provider.
    logs_in: bool,
    /// Whether sessions are looked for.
    keeps: bool,
    anonymous: bool,
    refreshes: bool,
    search_user_info: bool,
    run_on_preflight: bool,
    leeway: u32,
    timeout: Duration,
}

/// What is left to do once somebody has been asked.
enum Job {
    LogOut,
    ProviderLogsOut,
    EndLogin(Query),
    BeginLogin,
    Bearer(String),
    /// A session that a server has.
    Session(String),
    Refresh(Found),
}

/// How far a request has come.
enum Step {
    Done(Flow),
    Left(Job),
}

#[plugin(
    name = "openid-connect",
    priority = 1050,
    reads_body,
    capabilities = ["consumer", "crypto", "jwt", "kv", "request", "response", "secret", "time", "var"]
)]
impl Openid {
    fn configure(config: Config) -> Result<Self, String> {
        config.check()?;
        let method = |name: &str| config.auth_methods.iter().any(|own| own == name);
        let discovery = Discovery::new(&config)?;
        let client = Client::new(&config, &discovery.reach)?;
        let logs_in = method("authorization_code") && client.is_some();
        if client.is_none() && config.auth_methods == ["authorization_code"] {
            return Err("client_id: required for authorization_code".to_owned());
        }
        let own = client.as_ref().map(|client| client.id.as_str()).unwrap_or_default();
        let keys = Rc::new(Keys::new(
            config.session_secret.clone(),
            config.session_previous_secrets.clone(),
            format!("{} {own}", config.issuer),
        ));
        Ok(Self {
            discovery,
            logins: Logins::new(&config)?,
            sessions: Sessions::new(&config, &keys)?,
            keys,
            logouts: Logouts::new(&config),
            bearer: Bearer::new(&config)?,
            rules: Rules::new(&config)?,
            logs_in,
            keeps: method("session") && logs_in,
            anonymous: config.anonymous.is_some(),
            refreshes: config.refresh_tokens,
            search_user_info: config.search_user_info,
            run_on_preflight: config.run_on_preflight,
            leeway: config.leeway,
            timeout: Duration::from_millis(config.timeout.into()),
            words: Words::new(
                config.realm.as_deref(),
                config.unauthorized_error_message,
                config.forbidden_error_message,
            )?,
            otherwise: Otherwise::new(config.anonymous),
            client,
        })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        if passes_preflight(self.run_on_preflight, &request) {
            self.rules.clear(&mut request);
            return Outcome::now(Flow::Continue);
        }
        let cookies = cookies(&request);
        match self.step(&mut request, &Jar::read(&cookies)) {
            Step::Done(flow) => Outcome::now(flow),
            Step::Left(job) => {
                Outcome::later(async move { self.go_on(job, request, &Jar::read(&cookies)).await })
            }
        }
    }
}

/// All cookies of a request in one line (RFC 9113, section 8.2.3).
fn cookies(request: &Request) -> Text {
    match request.only_header("cookie") {
        Only::None => Text::default(),
        Only::One(line) => line,
        Only::Several => Text::from(&*request.header_values("cookie").join("; ")),
    }
}

impl Openid {
    /// What can be decided at once.
    fn step(&self, request: &mut Request, jar: &Jar<'_>) -> Step {
        if let Some(job) = self.errand(request, jar) {
            return Step::Left(job);
        }
        match self.otherwise.open() {
            Ok(true) => {}
            Ok(false) => {
                self.rules.clear(request);
                return Step::Done(Flow::Continue);
            }
            Err(reply) => return Step::Done(reply.into()),
        }
        match self.bearer.token(request, jar) {
            Token::None => {}
            Token::Several => return Step::Done(self.refuse(request, &Refused::Request)),
            Token::One(token) => {
                return match self.bearer_now(&token) {
                    Some(judged) => Step::Done(self.admit_bearer(request, judged, jar)),
                    None => Step::Left(Job::Bearer(token)),
                };
            }
        }
        match self.session_step(request, jar) {
            Ok(Some(step)) => step,
            Ok(None) => self.nobody(request),
            Err(error) => Step::Done(refusal::unexpected(error).into()),
        }
    }

    /// What is for this plugin and nobody behind it: ways back from the provider, and logouts.
    fn errand(&self, request: &Request, jar: &Jar<'_>) -> Option<Job> {
        let back = self.logs_in
            && (self.logins.path.is_some() || jar.iter().any(|(name, _)| self.logins.is_own(name)));
        if !back && !self.logouts.are_there() {
            return None;
        }
        let target = request.path_and_query();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        if self.logouts.path.as_deref() == Some(path) && request.method() == "POST" {
            return Some(Job::ProviderLogsOut);
        }
        if self.keeps && self.logouts.is_one(request, path, query) {
            return Some(Job::LogOut);
        }
        let is_here = self.logins.path.as_deref().map(|own| own == path);
        if !back || is_here == Some(false) || request.method() != "GET" {
            return None;
        }
        let query = Query::parse(query);
        let mine = || query.get("state").and_then(|state| self.logins.cookie_of(state));
        let answers = query.contains("state") && (query.contains("code") || query.contains("error"));
        // Without a path of its own, only a login that this browser has under way comes back.
        let comes_back =
            is_here == Some(true) || answers && mine().is_some_and(|name| jar.get(&name).is_some());
        comes_back.then_some(Job::EndLogin(query))
    }

    /// What a session's cookie comes to; nothing where there is none that counts.
    fn session_step(&self, request: &mut Request, jar: &Jar<'_>) -> Result<Option<Step>, Error> {
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
    async fn session_there(&self, name: String, request: &mut Request, jar: &Jar<'_>) -> Result<Flow, Error> {
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

    fn admit_bearer(
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

    /// Nothing shows who calls.
    fn nobody(&self, request: &mut Request) -> Step {
        if self.logs_in && !self.anonymous && client::navigates(request) {
            return Step::Left(Job::BeginLogin);
        }
        Step::Done(self.refuse(request, &Refused::Nobody))
    }

    fn refuse(&self, request: &mut Request, refused: &Refused) -> Flow {
        self.rules.clear(request);
        self.otherwise.judge(Err(self.words.reply(refused)))
    }

    /// What is left.
    async fn go_on(&self, job: Job, mut request: Request, jar: &Jar<'_>) -> Flow {
        match job {
            Job::LogOut => self.log_out(&request, jar).await.into(),
            Job::ProviderLogsOut => self.provider_logs_out(request).await.into(),
            Job::EndLogin(query) => self.end_login(&query, jar).await.into(),
            Job::BeginLogin => self.begin_login(&request, jar).await.into(),
            Job::Bearer(token) => {
                let judged = self.bearer(&token).await;
                self.admit_bearer(&mut request, judged, jar)
            }
            Job::Session(name) => or_refuse(self.session_there(name, &mut request, jar).await),
            Job::Refresh(found) => or_refuse(self.renew(&found, &mut request, jar).await),
        }
    }

    /// A session whose access token is over.
    async fn renew(&self, found: &Found, request: &mut Request, jar: &Jar<'_>) -> Result<Flow, Error> {
        let (Some(client), Some(session)) = (&self.client, found.session()) else {
            return Err(Error::Failed);
        };
        match self.refresh(client, &session).await? {
            Refreshed::Kept => Ok(self.admit_session(request, &session, &[], jar)),
            Refreshed::Renewed(bytes) => {
                let cookies = self.sessions.write(&self.keys, &bytes, found, jar).await?;
                let renewed: Option<Session<'_>> = plugin_sdk::contract::decode(&bytes);
                Ok(self.admit_session(request, &renewed.ok_or(Error::Failed)?, &cookies, jar))
            }
            Refreshed::Over => {
                self.sessions.end(found).await?;
                Ok(self.nobody_here(request, jar).await)
            }
        }
    }

    /// Nothing shows who calls, as it turns out.
    async fn nobody_here(&self, request: &mut Request, jar: &Jar<'_>) -> Flow {
        match self.nobody(request) {
            Step::Done(flow) => flow,
            Step::Left(_) => self.begin_login(request, jar).await.into(),
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
    plugin_sdk::contract::encode(&session, Vec::new()).map_err(|_| Error::Failed)
}

fn or_refuse(flow: Result<Flow, Error>) -> Flow {
    flow.unwrap_or_else(|error| refusal::unexpected(error).into())
}
