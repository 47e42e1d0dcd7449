//! Limits, counters and values, called by a guest over the ABI.
#![allow(clippy::unwrap_used, clippy::panic)] // tests may

mod kit;
#[path = "../src/redis/server.rs"]
#[allow(dead_code, reason = "each test uses its own part")]
mod server;

use std::sync::Arc;

use gateway_core::{config::Config, plugin::Registry};
use gateway_plugins::{
    Area, Call, Checked, Entity, Function, Limiters, RateLimit, RateLimits, Reply, Scope, Status, Verdict,
};
use kit::{Answer, Edge, RELAY, builder, bytes, edge_among, empty, line, request};
use plugin_contract::{
    NOW,
    counter::Add,
    decode,
    kv::{Delete, Entry, Get, Only, Outcome, Set},
    ratelimit::{
        Algorithm, Allow, Check, Decision, Key, Limiter, Of, Period, Redis, Report, Says, State, Store, Tell,
        Window,
    },
};
use serde_json::json;

fn limiter<'a>(name: &'a str, windows: &[(Period, u64)], store: Store<'a>) -> Limiter<'a> {
    let windows = windows.iter().map(|&(period, limit)| Window { period, limit }).collect();
    Limiter { algorithm: Algorithm::Fixed, windows, store, name }
}

fn redis(port: u16) -> Redis<'static> {
    Redis {
        host: "127.0.0.1",
        port,
        timeout: 2_000,
        username: None,
        password: None,
        database: 0,
        tls: false,
        verify: false,
        server_name: None,
        sync: None,
    }
}

/// An edge whose guest makes these limiters when it is configured.
async fn edge(name: &str, limiters: &[Limiter<'_>]) -> Edge {
    configured(name, &limiters.iter().map(line).collect::<Vec<_>>()).await
}

/// An edge whose guest makes these calls when it is configured.
async fn configured(name: &str, calls: &[String]) -> Edge {
    let config = json!({ "calls": calls.join(",") });
    edge_among(builder(name).grant(Area::ALL), &RELAY, config, Config::default(), Registry::empty()).await
}

async fn relay(edge: &Edge, calls: &[String]) -> Answer {
    let mut request = request("GET", "/x");
    for call in calls {
        request = request.header("x-call", call);
    }
    edge.ask(request.body(empty()).unwrap()).await
}

/// The bytes of each answer that was there at once.
fn answers(answer: &Answer) -> Vec<Vec<u8>> {
    let now = |digits: &str| {
        let mut bytes = bytes(digits);
        assert_eq!(bytes.remove(0), NOW, "{digits}");
        bytes
    };
    answer.sent("x-answer").into_iter().map(now).collect()
}

fn check(limiter: u32, key: &str, cost: u32) -> String {
    line(&Check { limiter, key: key.into(), cost })
}

/// What a limiter said: whether it is allowed, and what is left of each window.
fn told(bytes: &[u8]) -> (bool, Vec<u64>) {
    let decision = decode::<Option<Decision>>(bytes).unwrap().unwrap();
    assert!(decision.windows.iter().all(|window| window.reset >= 1));
    (decision.allowed, decision.windows.iter().map(|window| window.remaining).collect())
}

#[tokio::test]
async fn a_limiter_lets_through_what_fits_all_its_windows() {
    let two = limiter("", &[(Period::Month, 3), (Period::Year, 4)], Store::Local);
    let edge =
        edge("relay-windows", &[two.clone(), limiter("b", &[(Period::Year, 9)], Store::Local), two]).await;
    let answer =
        relay(&edge, &[check(0, "a", 2), check(0, "a", 2), check(0, "b", 1), check(1, "a", 1)]).await;
    assert_eq!(answer.sent("x-configured"), ["0000", "0001", "0000"], "the same limiter made twice is one");
    let answers = answers(&answer);
    assert_eq!(told(&answers[0]), (true, vec![1, 2]));
    assert_eq!(told(&answers[1]), (false, vec![1, 2]), "what is refused counts in no window");
    assert_eq!(told(&answers[2]), (true, vec![2, 3]), "another key");
    assert_eq!(told(&answers[3]), (true, vec![8]), "another limiter");
    let answer = relay(&edge, &[check(0, "a", 0), check(7, "a", 1)]).await;
    assert!(answer.sent("x-answer")[0].starts_with("0001"), "{:?}", answer.sent("x-answer"));
    assert_eq!(answer.sent("x-answer")[1], "BadArgument");
}

/// Tells of a window that most limiters do not have, too.
const REPORT: [(&str, Says<'static>); 4] = [
    ("x-limit", Says::Text("3")),
    ("x-first", Says::Remaining(Of::Window(0))),
    ("x-third", Says::Limit(Of::Window(2))),
    ("x-tightest", Says::Limit(Of::Tightest)),
];

fn report(fields: &[(&'static str, Says<'static>)]) -> String {
    let refused = vec![("x-refused", Says::Text("yes")), ("x-first", Says::Reset(Of::Tightest))];
    line(&Report { fields: fields.to_vec(), refused })
}

fn allow(limiter: u32, key: &str, report: u32) -> String {
    line(&Allow { check: Check { limiter, key: key.into(), cost: 2 }, report })
}

#[tokio::test]
async fn what_a_limiter_says_is_told_by_a_report() {
    let two = limiter("", &[(Period::Month, 5), (Period::Year, 9)], Store::Local);
    let none = line(&Report { fields: Vec::new(), refused: Vec::new() });
    let edge = configured("relay-report", &[line(&two), report(&REPORT), report(&REPORT), none]).await;
    let fields = |answer: &Answer| {
        ["x-limit", "x-first", "x-third", "x-tightest", "x-refused"]
            .map(|name| answer.header(name).to_owned())
    };
    let answer = relay(&edge, &[allow(0, "a", 0)]).await;
    assert_eq!(
        answer.sent("x-configured"),
        ["0000", "0000", "0000", "0001"],
        "the same report made twice is one"
    );
    assert_eq!(
        (answers(&answer), fields(&answer)),
        (vec![vec![1, 1]], ["3", "3", "", "5", ""].map(str::to_owned))
    );
    // The later call of a callback counts, and an empty report says nothing.
    let answer = relay(&edge, &[allow(0, "a", 0), allow(0, "b", 1)]).await;
    assert_eq!(answers(&answer), [[1, 1], [1, 1]]);
    assert_eq!(fields(&answer), ["3", "1", "", "5", ""]);
    let answer = relay(&edge, &[allow(0, "a", 0)]).await;
    assert_eq!(answers(&answer), [[1, 0]], "refused");
    assert!(answer.header("x-first").parse::<u32>().unwrap() > 1, "seconds of a month: {answer:?}");
    assert_eq!((answer.header("x-refused"), answer.headers.get_all("x-first").iter().count()), ("yes", 1));
    let windows = vec![State { limit: 7, remaining: 0, reset: 8 }];
    let answer =
        relay(&edge, &[line(&Tell { report: 0, decision: Decision { allowed: false, windows } })]).await;
    assert_eq!(fields(&answer), ["3", "8", "", "7", "yes"], "what came later");
}

#[tokio::test]
async fn a_report_that_cannot_be_is_refused_and_nothing_is_counted_for_it() {
    let year = limiter("", &[(Period::Year, 9)], Store::Local);
    let late = limiter("late", &[(Period::Year, 9)], Store::Redis(redis(1)));
    let text = |name| report(&[(name, Says::Text("a"))]);
    let many = report(&[("x-a", Says::Text("a")); 63]);
    let calls = [
        line(&year),
        line(&late),
        text("content-length"),
        text("no name"),
        many,
        report(&[("x", Says::Text("\n"))]),
    ];
    let edge = configured("relay-no-report", &calls).await;
    let answer = relay(&edge, &[allow(0, "a", 0), allow(7, "a", 0)]).await;
    let bad = "BadArgument";
    assert_eq!(answer.sent("x-configured"), ["0000", "0001", bad, bad, bad, bad]);
    assert_eq!(answer.sent("x-answer"), [bad; 2], "there is neither such a report nor such a limiter");
    assert_eq!(told(&answers(&relay(&edge, &[check(0, "a", 1)]).await)[0]).1, [8], "nothing was counted");
    let edge = configured("relay-late", &[line(&late), report(&[])]).await;
    assert_eq!(relay(&edge, &[allow(0, "a", 0)]).await.sent("x-answer"), [bad], "it answers later");
}

#[tokio::test]
async fn what_was_counted_stays_when_the_configuration_is_made_anew() {
    let year = limiter("", &[(Period::Year, 5)], Store::Local);
    let before = edge("relay-again", std::slice::from_ref(&year)).await;
    relay(&before, &[check(0, "k", 3)]).await;
    drop(before);
    let after = edge("relay-again", &[limiter("x", &[(Period::Year, 5)], Store::Local), year]).await;
    let answers = answers(&relay(&after, &[check(0, "k", 1), check(1, "k", 1)]).await);
    assert_eq!(told(&answers[0]).1, [4]);
    assert_eq!(told(&answers[1]).1, [1]);
}

#[tokio::test]
async fn a_limiter_that_cannot_be_is_refused() {
    let none = limiter("", &[], Store::Local);
    let never = limiter("", &[(Period::Year, 0)], Store::Local);
    let edge = edge("relay-refused", &[none, never]).await;
    assert_eq!(relay(&edge, &[]).await.sent("x-configured"), ["BadArgument", "BadArgument"]);
}

#[tokio::test]
async fn who_cannot_ask_its_server_is_told_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = Redis { timeout: 200, ..redis(silent.local_addr().unwrap().port()) };
    let edge = edge("relay-silent", &[limiter("", &[(Period::Year, 5)], Store::Redis(redis.clone()))]).await;
    let add = Add { namespace: "n", key: "k", delta: 1, ttl: 60, store: Store::Redis(redis) };
    let answer = relay(&edge, &[check(0, "k", 1), line(&add)]).await;
    assert_eq!(answer.sent("x-late"), ["00", "00"], "no decision, no count");
}

#[tokio::test]
async fn nodes_that_share_a_server_share_its_limits() {
    let Some(redis_server) = server::RedisServer::start(&[]) else { return };
    let shared = || limiter("", &[(Period::Year, 3)], Store::Redis(redis(redis_server.port)));
    let nodes = [edge("relay-shared", &[shared()]).await, edge("relay-shared", &[shared()]).await];
    for (node, expected) in [(0, (true, 2)), (1, (true, 1)), (0, (true, 0)), (1, (false, 0))] {
        let answer = relay(&nodes[node], &[check(0, "k", 1)]).await;
        assert!(answer.sent("x-answer")[0].starts_with("01"), "a token");
        let (allowed, left) = told(&bytes(answer.sent("x-late")[0]));
        assert_eq!((allowed, left[0]), expected);
    }
    let add = line(&Add { namespace: "n", key: "k", delta: 2, ttl: 60, store: shared().store });
    for (node, expected) in nodes.iter().zip([2_i64, 4]) {
        let answer = relay(node, std::slice::from_ref(&add)).await;
        assert_eq!(decode(&bytes(answer.sent("x-late")[0])), Some(Some(expected)));
    }
}

#[tokio::test]
async fn counters_count_and_values_are_kept() {
    let edge = edge("relay-values", &[]).await;
    let add = |delta| line(&Add { namespace: "n", key: "k", delta, ttl: 60, store: Store::Local });
    let set = |value, only| line(&Set { namespace: "n", key: "k", value, ttl: Some(60), only });
    let get = line(&Get { namespace: "n", key: "k" });
    let delete = |only| line(&Delete { namespace: "n", key: "k", only });
    let calls = [
        add(3),
        add(-5),
        get.clone(),
        set(b"one", Only::Absent),
        set(b"two", Only::Absent),
        set(b"three", Only::Version(1)),
        get,
        delete(Only::Version(1)),
        delete(Only::Always),
    ];
    let answers = answers(&relay(&edge, &calls).await);
    assert_eq!(decode(&answers[0]), Some(Some(3_i64)));
    assert_eq!(decode(&answers[1]), Some(Some(-2_i64)));
    assert_eq!(decode(&answers[2]), Some(None::<Entry<'_>>));
    assert_eq!(decode(&answers[3]), Some(Outcome::Done(1)));
    assert_eq!(decode(&answers[4]), Some(Outcome::Refused(Some(1))));
    assert_eq!(decode(&answers[5]), Some(Outcome::Done(2)));
    assert_eq!(decode(&answers[6]), Some(Some(Entry { value: b"three", version: 2 })));
    assert_eq!(decode(&answers[7]), Some(false));
    assert_eq!(decode(&answers[8]), Some(true));
}

/// Limits by what an embedder has.
struct Own;

struct OwnLimiter(u64);

impl RateLimits for Own {
    fn limiter(&self, limiter: &Limiter<'_>, scope: Scope<'_>) -> Result<Arc<dyn RateLimit>, Status> {
        assert_eq!((scope.plugin, limiter.name), ("relay-own", "mine"));
        Ok(Arc::new(OwnLimiter(limiter.windows[0].limit)))
    }
}

impl RateLimit for OwnLimiter {
    fn check(&self, key: &str, cost: u32) -> Checked {
        let state = State { limit: self.0, remaining: key.len() as u64, reset: cost };
        Checked::Now(Verdict { allowed: false, windows: vec![state].into() })
    }
}

#[tokio::test]
async fn an_embedder_may_have_limits_of_its_own() {
    let config = json!({ "calls": line(&limiter("mine", &[(Period::Day, 7)], Store::Local)) });
    let builder = builder("relay-own").rate_limits(Arc::new(Own)).grant([Area::RateLimit]);
    let edge = edge_among(builder, &RELAY, config, Config::default(), Registry::empty()).await;
    let answers = answers(&relay(&edge, &[check(0, "abc", 2)]).await);
    let decision = decode::<Option<Decision>>(&answers[0]).unwrap().unwrap();
    assert_eq!(
        decision,
        Decision { allowed: false, windows: vec![State { limit: 7, remaining: 3, reset: 2 }] }
    );
}

/// Decisions of an embedder's, who keeps no limiters.
struct OwnCheck;

impl Function for OwnCheck {
    type Arguments<'a> = Check<'a>;

    fn call<'a>(&'a self, check: Check<'a>, _: &'a mut Call<'_>) -> Result<Reply<Option<Decision>>, Status> {
        let windows = vec![State { limit: 7, remaining: 0, reset: check.cost + 6 }];
        match check.key {
            Key::Text("late") => Ok(Reply::later(async { None::<Decision> })),
            Key::Text("nobody") => Ok(Reply::Now(None)),
            _ => Ok(Reply::Now(Some(Decision { allowed: false, windows }))),
        }
    }
}

#[tokio::test]
async fn who_answers_checks_in_place_of_the_gateway_is_asked_for_reports_too() {
    let config = json!({ "calls": report(&REPORT) });
    let builder = builder("relay-own-check").grant([Area::RateLimit]).serve(OwnCheck);
    let edge = edge_among(builder, &RELAY, config, Config::default(), Registry::empty()).await;
    let answer = relay(&edge, &[allow(9, "a", 0)]).await;
    assert_eq!(answers(&answer), [[1, 0]]);
    let fields = ["x-limit", "x-first", "x-tightest", "x-refused"].map(|name| answer.header(name));
    assert_eq!(fields, ["3", "8", "7", "yes"]);
    let answer = relay(&edge, &[allow(9, "nobody", 0), allow(9, "late", 0), allow(9, "a", 7)]).await;
    assert_eq!(answer.sent("x-answer")[1..], ["BadArgument"; 2], "it answers later; there is no such report");
    assert_eq!((bytes(answer.sent("x-answer")[0]), answer.header("x-limit")), (vec![0, 0], ""));
}

/// The scope of a limiter is what its plugin's entity is for, not which entity it is.
#[test]
fn entities_of_one_scope_go_on_where_the_other_left_off() {
    let limiters = Limiters::with_slots(64);
    let year = limiter("", &[(Period::Year, 10)], Store::Local);
    let left = |plugin, entity: &Entity| {
        let limiter = limiters.limiter(&year, Scope::new(plugin, entity)).unwrap();
        let Checked::Now(verdict) = limiter.check("k", 1) else { panic!("it is here") };
        verdict.windows[0].remaining
    };
    let id = uuid::Uuid::from_u128;
    let [mut global, mut other] = [Entity::default(), Entity::default()];
    (global.id, other.id) = (id(1), id(2));
    assert_eq!((left("p", &global), left("p", &other)), (9, 8));
    let mut route = other.clone();
    route.route = Some(id(7));
    let mut service = other.clone();
    service.service = Some(id(7));
    let mut consumer = other.clone();
    consumer.consumer = Some(id(7));
    for scope in [&route, &service, &consumer] {
        assert_eq!(left("p", scope), 9);
    }
    assert_eq!(left("q", &global), 9);
}
