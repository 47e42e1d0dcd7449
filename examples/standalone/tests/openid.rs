//! The plugin openid-connect in gateways that run, beside a provider that counts. Sessions of several gateways are in a real
//! Redis, which the tests start; where a machine has none they say so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;
#[path = "openid/provider.rs"]
mod provider;
#[path = "../../../gateway-plugins/src/redis/server.rs"]
#[allow(dead_code, reason = "each test uses its own part")]
mod server;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::{Answer, Directory, Gateway, ask, command, until};
use provider::Provider;
use redis::AsyncCommands;
use rustix::process::Signal;
use serde_json::{Value, json};
use server::RedisServer;

/// A file with the plugin on one route, and `more` in its configuration.
fn file(provider: &Provider, more: &str) -> String {
    format!(
        "_format_version: '3.0'
services:
- name: shop
  url: http://{address}/upstream
  routes:
  - name: shop
    paths: [/]
  plugins:
  - name: openid-connect
    config:
      issuer: http://{address}
      client_id: [shop]
      client_secret: [a secret of the client]
      redirect_uri: ['http://localhost/callback']
      session_secret: a secret of 32 characters or more
{more}",
        address = provider.address
    )
}

/// What a browser has of a login: its cookies in one line.
struct Browser(String);

impl Browser {
    /// Logs in; the way back may lead to another gateway.
    fn log_in(provider: &Provider, begin: SocketAddr, end: SocketAddr) -> Self {
        let sent = get(begin, "/", "");
        assert_eq!(sent.status, 303, "{}", sent.text);
        let location = field(&sent, "location").unwrap();
        let argument = |name: &str| {
            let mut pairs = location.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            pairs.find(|(own, _)| *own == name).unwrap().1.to_owned()
        };
        provider.state().nonce = argument("nonce");
        let back = format!("/callback?code=1&state={}", argument("state"));
        let ended = get(end, &back, &cookies(&sent));
        assert_eq!(ended.status, 303, "{}", ended.text);
        Self(cookies(&ended))
    }

    /// What the upstream is shown as the access token; the status where it is not asked.
    fn shown(&self, gateway: SocketAddr) -> Result<String, u16> {
        let answer = get(gateway, "/", &self.0);
        if answer.status != 200 {
            return Err(answer.status);
        }
        let seen: Value = serde_json::from_str(&answer.text).unwrap();
        Ok(seen["fields"]["authorization"].as_str().unwrap().to_owned())
    }
}

/// A browser goes to a page.
fn get(gateway: SocketAddr, path: &str, cookies: &str) -> Answer {
    ask(gateway, "GET", path, &[("Accept", "text/html"), ("Cookie", cookies)], "").unwrap()
}

/// The value of a field as it was written: the kit's heads are in small letters, and these values matter.
fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.fields().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The cookies that an answer sets, and does not take away.
fn cookies(answer: &Answer) -> String {
    let set = answer.fields().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let set = set.filter(|(_, value)| !value.contains("Max-Age=0"));
    set.filter_map(|(_, value)| value.split(';').next()).collect::<Vec<_>>().join("; ")
}

fn in_redis(redis: &RedisServer) -> String {
    format!(
        "      session_storage: redis
      session_redis_host: 127.0.0.1
      session_redis_port: {}
      session_redis_prefix: shop
",
        redis.port
    )
}

/// Each browser of a thousand asks one of two gateways at the same moment.
const MANY: usize = 1_000;

#[test]
fn a_thousand_requests_over_two_gateways_make_one_refresh() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let (provider, directory) = (Provider::start(), Directory::new());
    let kong = directory.put("kong.yml", &file(&provider, &in_redis(&redis)));
    let gateways = [Gateway::start(&[&kong]), Gateway::start(&[&kong])];
    let [one, other] = gateways.each_ref().map(|gateway| gateway.address);
    provider.state().lifetime = 1;
    let browser = Arc::new(Browser::log_in(&provider, one, other));
    thread::sleep(Duration::from_millis(1_100));
    {
        let mut state = provider.state();
        (state.lifetime, state.slow) = (300, Duration::from_millis(500));
    }
    let together = Arc::new(Barrier::new(MANY));
    let threads: Vec<_> = (0..MANY)
        .map(|at| {
            let (browser, together) = (Arc::clone(&browser), Arc::clone(&together));
            let run = move || {
                together.wait();
                browser.shown([one, other][at % 2])
            };
            thread::Builder::new().stack_size(128 << 10).spawn(run).unwrap()
        })
        .collect();
    let shown: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let renewed = shown.iter().filter(|shown| shown.as_deref() == Ok("Bearer access-2")).count();
    assert_eq!(renewed, MANY, "{:?}", shown.iter().find(|shown| shown.as_deref() != Ok("Bearer access-2")));
    assert_eq!(provider.state().refreshed(), (1, 0));
    // From then on it is in the session itself.
    assert_eq!(browser.shown(one), browser.shown(other));
    assert_eq!(provider.state().refreshes, 1);
    nothing_of_it_is_in_the_open(&redis);
}

/// Who reads the server finds no token and no name.
fn nothing_of_it_is_in_the_open(redis: &RedisServer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = redis.other().await;
        let keys: Vec<String> = connection.keys("*").await.unwrap();
        assert!(
            !keys.is_empty() && keys.iter().all(|key| key.starts_with("shop:kv/openid-connect/")),
            "{keys:?}"
        );
        for key in keys {
            let value: Vec<u8> = connection.get(&key).await.unwrap();
            let text = format!("{key} {}", String::from_utf8_lossy(&value));
            assert!(["alice", "access-", "refresh-", "eyJ"].iter().all(|open| !text.contains(open)), "{key}");
            assert!(connection.ttl::<_, i64>(&key).await.unwrap() > 0, "{key} ends");
        }
    });
}

#[test]
fn a_gateway_that_dies_in_a_refresh_holds_the_others_up_for_as_long_as_its_lock() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let (provider, directory) = (Provider::start(), Directory::new());
    let soon = in_redis(&redis) + "      timeout: 3000\n";
    let kong = directory.put("kong.yml", &file(&provider, &soon));
    let (one, other) = (Gateway::start(&[&kong]), Gateway::start(&[&kong]));
    provider.state().lifetime = 1;
    let browser = Browser::log_in(&provider, one.address, one.address);
    thread::sleep(Duration::from_millis(1_100));
    {
        let mut state = provider.state();
        (state.lifetime, state.slow) = (300, Duration::from_secs(20));
    }
    let (address, cookies) = (one.address, browser.0.clone());
    let dying = thread::spawn(move || ask(address, "GET", "/", &[("Cookie", &cookies)], ""));
    until("the provider is asked", || provider.state().refreshes == 1);
    one.signal(Signal::KILL);
    assert!(dying.join().unwrap().is_none());
    // The provider has not taken the refresh token yet, so to say.
    {
        let mut state = provider.state();
        state.slow = Duration::ZERO;
        state.give_back("refresh-1");
    }
    assert_eq!(browser.shown(other.address).as_deref(), Ok("Bearer access-2"));
    assert_eq!(provider.state().refreshed(), (2, 0));
}

#[test]
fn while_redis_is_down_sessions_are_not_taken_for_nobodys() {
    let Some(mut redis) = RedisServer::start(&[]) else { return };
    let (provider, directory) = (Provider::start(), Directory::new());
    let kong = directory.put("kong.yml", &file(&provider, &in_redis(&redis)));
    let gateway = Gateway::start(&[&kong]);
    let browser = Browser::log_in(&provider, gateway.address, gateway.address);
    assert!(browser.shown(gateway.address).is_ok());
    redis.kill();
    for _ in 0..3 {
        assert_eq!(browser.shown(gateway.address), Err(503));
    }
    let bearer = format!("Bearer {}", provider.token(&json!({ "aud": "api" })));
    let program = ask(gateway.address, "GET", "/", &[("Authorization", &bearer)], "").unwrap();
    assert_eq!(program.status, 200, "{}", program.text);
    redis.restart();
    // What it held is gone with it: a login, and no error.
    until("it is used again", || browser.shown(gateway.address) == Err(303));
    let again = Browser::log_in(&provider, gateway.address, gateway.address);
    assert!(again.shown(gateway.address).is_ok());
}

#[test]
fn every_example_of_the_page_passes_the_check() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugins/openid-connect.md");
    let page = fs::read_to_string(page).unwrap();
    let directory = Directory::new();
    let examples: Vec<_> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 6, "one of its own, and one for each provider");
    for example in examples {
        let mut check = command(&["check", &directory.put("kong.yml", example)]);
        check
            .env("OIDC_CLIENT_SECRET", "a secret")
            .env("OIDC_SESSION_SECRET", "a secret of 32 characters, or more");
        let said = check.output().unwrap();
        assert!(said.status.success(), "{}\n{example}", String::from_utf8_lossy(&said.stderr));
    }
}

/// A program brings an access token.
fn bring(gateway: SocketAddr, path: &str, token: &str) -> Answer {
    ask(gateway, "GET", path, &[("Authorization", &format!("Bearer {token}"))], "").unwrap()
}

#[test]
fn a_claim_names_the_consumer_that_acls_limits_and_scoped_plugins_are_for() {
    let (provider, directory) = (Provider::start(), Directory::new());
    let more = "      consumer_claim: [preferred_username]
  - name: acl
    config: {allow: [buyers]}
  - name: rate-limiting
    config: {year: 1000}
consumers:
- username: alice
  custom_id: a-1
  acls: [{group: buyers}]
  plugins:
  - name: rate-limiting
    config: {year: 2}
  - name: response-transformer
    config: {add: {headers: ['x-tier:gold']}}
- username: carol
  acls: [{group: buyers}]
- username: bob
";
    let gateway = Gateway::start(&[&directory.put("kong.yml", &file(&provider, more))]);
    let ask = |name: &str| {
        let token = provider.token(&json!({ "aud": "api", "preferred_username": name }));
        bring(gateway.address, "/", &token)
    };
    let [first, second, third] = [ask("alice"), ask("alice"), ask("alice")];
    assert_eq!((first.status, second.status, third.status), (200, 200, 429));
    assert_eq!((field(&first, "x-ratelimit-limit-year"), field(&first, "x-tier")), (Some("2"), Some("gold")));
    let seen: Value = serde_json::from_str(&first.text).unwrap();
    assert_eq!(seen["fields"]["x-consumer-username"], "alice");
    assert_eq!(seen["fields"]["x-consumer-groups"], "buyers");
    assert_eq!(ask("a-1").status, 429, "her id in another system is hers");
    let carol = ask("carol");
    assert_eq!((field(&carol, "x-ratelimit-limit-year"), field(&carol, "x-tier")), (Some("1000"), None));
    assert_eq!((ask("bob").status, ask("mallory").status), (403, 403));
    // A session of hers is her, too.
    provider.state().claims = json!({ "preferred_username": "carol" });
    let browser = Browser::log_in(&provider, gateway.address, gateway.address);
    let seen: Value = serde_json::from_str(&get(gateway.address, "/", &browser.0).text).unwrap();
    assert_eq!(seen["fields"]["x-consumer-username"], "carol");
}

#[test]
fn groups_that_the_provider_names_are_those_that_acl_goes_by() {
    let (provider, directory) = (Provider::start(), Directory::new());
    let more = "      authenticated_groups_claim: [realm, groups]
  - name: acl
    config: {allow: [buyers]}
";
    let gateway = Gateway::start(&[&directory.put("kong.yml", &file(&provider, more))]);
    let seen = |answer: &Answer| {
        let seen: Value = serde_json::from_str(&answer.text).unwrap();
        seen["fields"]["x-authenticated-groups"].as_str().map(str::to_owned)
    };
    for (groups, told) in [
        (json!(["sellers", "buyers"]), Some("sellers, buyers")),
        (json!("buyers sellers"), Some("buyers, sellers")),
        (json!(["sellers"]), None),
        (json!({ "buyers": true }), None),
        (Value::Null, None),
    ] {
        let token = provider.token(&json!({ "aud": "api", "realm": { "groups": groups } }));
        let spoofed = [("Authorization", &*format!("Bearer {token}")), ("X-Authenticated-Groups", "buyers")];
        let answer = ask(gateway.address, "GET", "/", &spoofed, "").unwrap();
        match told {
            Some(told) => assert_eq!(seen(&answer).as_deref(), Some(told)),
            None => assert_eq!(answer.status, 403, "{groups}"),
        }
    }
    // Those of a session, too.
    provider.state().claims = json!({ "realm": { "groups": ["buyers"] } });
    let browser = Browser::log_in(&provider, gateway.address, gateway.address);
    assert_eq!(seen(&get(gateway.address, "/", &browser.0)).as_deref(), Some("buyers"));
}

#[test]
fn several_providers_and_clients_share_a_gateway_and_nothing_else() {
    let (one, other, directory) = (Provider::start(), Provider::start(), Directory::new());
    let service = |name: &str, provider: &Provider, client: &str| {
        format!(
            "- name: {name}
  url: http://{address}/upstream
  routes: [{{name: {name}, paths: [/{name}]}}]
  plugins:
  - name: openid-connect
    config:
      issuer: http://{address}
      client_id: [{client}]
      client_secret: [of {client}]
      redirect_uri: ['http://localhost/{name}/callback']
      session_secret: a secret of 32 characters or more
      session_cookie_name: {name}
",
            address = provider.address
        )
    };
    let services =
        [service("a", &one, "shop"), service("b", &other, "shop"), service("c", &one, "stock")].concat();
    let kong = format!("_format_version: '3.0'\nservices:\n{services}");
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong)]);
    let token = |provider: &Provider| provider.token(&json!({ "aud": "api" }));
    for (path, provider, status) in
        [("/a", &one, 200), ("/b", &other, 200), ("/c", &one, 200), ("/a", &other, 401), ("/b", &one, 401)]
    {
        assert_eq!(bring(gateway.address, path, &token(provider)).status, status, "{path}");
    }
    let sent = get(gateway.address, "/a", "");
    let location = field(&sent, "location").unwrap();
    let argument = |name: &str| location.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)).unwrap();
    one.state().nonce = argument("nonce=").to_owned();
    let back = format!("callback?code=1&state={}", argument("state="));
    // Not with another client's way back, nor with another provider's.
    for elsewhere in ["/b", "/c"] {
        assert_eq!(get(gateway.address, &format!("{elsewhere}/{back}"), &cookies(&sent)).status, 400);
    }
    let session = cookies(&get(gateway.address, &format!("/a/{back}"), &cookies(&sent)));
    assert_eq!(get(gateway.address, "/a", &session).status, 200);
    // Nor is a session good under another client's name.
    let (_, value) = session.split_once('=').unwrap();
    for elsewhere in ["b", "c"] {
        let renamed = format!("__Host-{elsewhere}={value}");
        assert_eq!(get(gateway.address, &format!("/{elsewhere}"), &renamed).status, 303);
    }
}

#[test]
fn behind_something_that_ends_tls_users_come_back_to_where_they_were() {
    let (provider, directory) = (Provider::start(), Directory::new());
    let text = file(&provider, "").replace("      redirect_uri: ['http://localhost/callback']\n", "");
    let kong = directory.put("kong.yml", &text);
    let told = [
        ("Accept", "text/html"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example"),
        ("X-Forwarded-Port", "443"),
    ];
    for (trusted, wanted) in [
        ("127.0.0.0/8", "https%3A%2F%2Fshop.example%2Fpage"),
        ("10.0.0.0/8", "http%3A%2F%2Flocalhost%2Fpage"),
    ] {
        let mut gateway = command(&[&kong, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        gateway.env("GATEWAY_TRUSTED_IPS", trusted);
        let gateway = Gateway::spawn(gateway);
        let sent = ask(gateway.address, "GET", "/page", &told, "").unwrap();
        let location = field(&sent, "location").unwrap();
        assert!(location.contains(&format!("redirect_uri={wanted}&")), "{trusted}: {location}");
        assert!(cookies(&sent).starts_with("__Host-authorization-"), "browsers see TLS");
    }
}

#[test]
fn what_is_known_goes_on_while_the_provider_is_down() {
    let (provider, directory) = (Provider::start(), Directory::new());
    let kong = directory.put("kong.yml", &file(&provider, ""));
    // What one worker has asked for all of them know.
    let mut gateway = command(&[&kong, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    gateway.env("GATEWAY_WORKERS", "2");
    let gateway = Gateway::spawn(gateway);
    provider.state().lifetime = 1;
    let browser = Browser::log_in(&provider, gateway.address, gateway.address);
    let token = provider.token(&json!({ "aud": "api" }));
    assert_eq!(bring(gateway.address, "/", &token).status, 200);
    provider.state().down = true;
    thread::sleep(Duration::from_millis(1_100));
    // One that never came before, too: its keys are known. Each request has a connection of its own, and so either worker.
    let fresh = provider.token(&json!({ "aud": "api", "jti": "fresh" }));
    for _ in 0..20 {
        assert_eq!(bring(gateway.address, "/", &token).status, 200);
        assert_eq!(bring(gateway.address, "/", &fresh).status, 200);
        assert_eq!(browser.shown(gateway.address).as_deref(), Ok("Bearer access-1"), "with the token it has");
        let answer = get(gateway.address, "/", "");
        assert_eq!((answer.status, field(&answer, "retry-after")), (503, Some("5")), "nobody is sent there");
    }
    let late = Gateway::start(&[&kong]);
    let answer = get(late.address, "/", "");
    assert_eq!((answer.status, field(&answer, "retry-after")), (503, Some("5")));
    assert!(!answer.text.contains("secret") && !answer.text.contains("127.0.0.1"), "{}", answer.text);
    assert_eq!(bring(late.address, "/", &token).status, 503);
    // What no provider's word would make good.
    assert_eq!(bring(late.address, "/", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.").status, 401);
    provider.state().down = false;
    for address in [gateway.address, late.address] {
        until("logins begin again", || get(address, "/", "").status == 303);
    }
    until("tokens are admitted again", || bring(late.address, "/", &token).status == 200);
    until("sessions are refreshed again", || {
        browser.shown(gateway.address).as_deref() == Ok("Bearer access-2")
    });
}

#[test]
fn the_upstream_is_told_what_the_provider_says_of_the_user() {
    let (provider, directory) = (Provider::start(), Directory::new());
    let more = "      search_user_info: true
      upstream_user_info_header: x-user-info
      upstream_headers_claims: [email]
      upstream_headers_names: [x-email]
";
    let gateway = Gateway::start(&[&directory.put("kong.yml", &file(&provider, more))]);
    let browser = Browser::log_in(&provider, gateway.address, gateway.address);
    let seen: Value = serde_json::from_str(&get(gateway.address, "/", &browser.0).text).unwrap();
    assert_eq!(seen["fields"]["x-email"], "alice@example.com");
    let told = STANDARD.decode(seen["fields"]["x-user-info"].as_str().unwrap()).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told, json!({ "sub": "alice", "email": "alice@example.com" }));
    assert_eq!(provider.state().asked["/userinfo"], 1);
}
