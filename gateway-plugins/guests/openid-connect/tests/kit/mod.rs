//! A provider that a test scripts, a browser, and the cryptography that the kit leaves to tests.
#![allow(
    dead_code,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::wrong_self_convention,
    reason = "each test takes what it needs, and fails by panicking"
)]

pub mod crypto;
pub mod provider;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use openid_connect::Openid;
use plugin_sdk::{
    Query,
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};

pub use provider::Provider;

/// Whether the real gateway answers.
pub fn is_real() -> bool {
    std::env::var_os("PLUGIN_TESTBED").is_some()
}

pub const ISSUER: &str = "https://idp.example";
pub const HOST: &str = "app.example";
pub const CALLBACK: &str = "https://app.example/callback";
pub const CLIENT: &str = "shop";
pub const SECRET: &str = "client secret: keep";
/// Sessions are sealed by it.
pub const SEAL: &str = "0123456789abcdef0123456789abcdef";

/// A configuration, with `more` in place of what it says by itself.
pub fn config(more: Value) -> Value {
    let mut config = json!({
        "issuer": ISSUER, "client_id": [CLIENT], "client_secret": [SECRET],
        "redirect_uri": [CALLBACK], "session_secret": SEAL,
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// A gateway with such a configuration, and a provider for it.
pub fn world(more: Value) -> (Gateway, Rc<Provider>) {
    let provider = Provider::new();
    (gateway(more, &provider), provider)
}

/// Another gateway for the same provider.
pub fn gateway(more: Value, provider: &Rc<Provider>) -> Gateway {
    let gateway = Gateway::new::<Openid>(config(more)).unwrap();
    let own = Rc::clone(provider);
    let gateway = gateway.service(ISSUER, move |received| own.answer(received));
    if is_real() { gateway } else { crypto::scripted(gateway, provider) }
}

/// A browser, with its cookies.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// The cookies as a request has them.
    pub fn line(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// A request with the cookies.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let request = Request::new(method, target).host(HOST);
        if self.cookies.is_empty() { request } else { request.header("cookie", &self.line()) }
    }

    /// Goes to a page.
    pub fn visit(&mut self, gateway: &mut Gateway, target: &str) -> Answer {
        let request = self.request("GET", target).header("accept", "text/html,*/*;q=0.8");
        self.send(gateway, request)
    }

    /// Sends a request, and keeps the cookies that come back.
    pub fn send(&mut self, gateway: &mut Gateway, request: Request) -> Answer {
        let answer = gateway.send(request);
        for (name, value, gone) in cookies(&answer) {
            if gone {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
        answer
    }

    /// Begins a login and has the user log in at the provider: where the provider sends the browser then.
    pub fn to_provider(&mut self, gateway: &mut Gateway, provider: &Provider, target: &str) -> String {
        provider.clock.set(now(gateway));
        let answer = self.visit(gateway, target);
        assert_eq!(answer.status(), 303, "{}", answer.text());
        provider.authorize(answer.header("location").unwrap())
    }

    /// Logs in, and comes to the page that it asked for.
    pub fn log_in(&mut self, gateway: &mut Gateway, provider: &Provider, target: &str) -> Answer {
        let back = self.to_provider(gateway, provider, target);
        let answer = self.visit(gateway, &back);
        assert_eq!((answer.status(), answer.header("location")), (303, Some(target)), "{}", answer.text());
        answer
    }

    /// The value of the session's cookie.
    pub fn session(&self) -> Option<&String> {
        self.cookies.get(SESSION)
    }
}

pub const SESSION: &str = "__Host-session";

/// Each cookie that an answer sets: its name, its value, and whether it is taken away.
pub fn cookies(answer: &Answer) -> Vec<(String, String, bool)> {
    let set = answer.headers().filter(|(name, _)| *name == "set-cookie");
    set.map(|(_, value)| {
        let (pair, attributes) = value.split_once(';').unwrap_or((value, ""));
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned(), attributes.contains("Max-Age=0"))
    })
    .collect()
}

/// The time as the plugin sees it.
pub fn now(gateway: &Gateway) -> u64 {
    let real = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    if is_real() { real.as_secs() } else { gateway.now().as_secs() }
}

/// Lets a few seconds pass.
pub fn pass(gateway: &mut Gateway, provider: &Provider, seconds: u64) {
    if is_real() {
        assert!(seconds <= 2, "nobody waits that long");
        std::thread::sleep(Duration::from_secs(seconds));
    }
    gateway.pass(Duration::from_secs(seconds));
    provider.clock.set(now(gateway));
}

/// The arguments of an address.
pub fn arguments(url: &str) -> Query {
    Query::parse(url.split_once('?').map_or("", |(_, query)| query))
}

/// Whatever the plugin has said, to anybody, has none of these texts.
pub fn assert_silent(gateway: &Gateway, secrets: &[&str]) {
    for (_, line) in gateway.lines() {
        for secret in secrets {
            assert!(!line.contains(secret), "{line:?} has {secret:?}");
        }
    }
}
