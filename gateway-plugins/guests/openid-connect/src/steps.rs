//! How far a request comes, step by step.

use plugin_sdk::prelude::*;

use crate::{
    Openid,
    bearer::Token,
    client,
    cookies::Jar,
    refusal::{self, Refused},
    session::Found,
};

/// What is left to do once somebody has been asked.
pub(crate) enum Job {
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
pub(crate) enum Step {
    Done(Flow),
    Left(Job),
}

impl Openid {
    /// What can be decided at once.
    pub(crate) fn step(&self, request: &mut Request, jar: &Jar<'_>) -> Step {
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

    /// Nothing shows who calls.
    fn nobody(&self, request: &mut Request) -> Step {
        if self.logs_in && !self.anonymous && client::navigates(request) {
            return Step::Left(Job::BeginLogin);
        }
        Step::Done(self.refuse(request, &Refused::Nobody))
    }

    pub(crate) fn refuse(&self, request: &mut Request, refused: &Refused) -> Flow {
        self.rules.clear(request);
        self.otherwise.judge(Err(self.words.reply(refused)))
    }

    /// What is left.
    pub(crate) async fn go_on(&self, job: Job, mut request: Request, jar: &Jar<'_>) -> Flow {
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

    /// Nothing shows who calls, as it turns out.
    pub(crate) async fn nobody_here(&self, request: &mut Request, jar: &Jar<'_>) -> Flow {
        match self.nobody(request) {
            Step::Done(flow) => flow,
            Step::Left(_) => self.begin_login(request, jar).await.into(),
        }
    }
}

fn or_refuse(flow: Result<Flow, Error>) -> Flow {
    flow.unwrap_or_else(|error| refusal::unexpected(error).into())
}
