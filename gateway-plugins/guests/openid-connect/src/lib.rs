//! Logs users in at an identity provider (OpenID Connect), and admits its tokens.
//!
//! `config` is what the operator says. `provider` is who is asked (`metadata`, `reach`), `token` asks. `login` sends users there, `callback` takes
//! them back (`id_token`), `sessions` keeps them (`session`, `kept`), `refresh` renews what they have, `logout` ends it. `bearer` admits programs.
//! `identity` is what all of it comes to, `steps` goes through it, `admission` lets in; `cookies`, `sealed`, `known`, `claims`, `client`, `lock`,
//! `random` and `refusal` are the tools.

mod admission;
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
mod sessions;
mod steps;
mod token;

use std::{rc::Rc, time::Duration};

use auth::{Otherwise, passes_preflight};
use plugin_sdk::{Only, Outcome, prelude::*};

use crate::{
    bearer::Bearer, cookies::Jar, identity::Rules, login::Logins, logout::Logouts, provider::Discovery,
    refusal::Words, sealed::Keys, sessions::Sessions, steps::Step, token::Client,
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
