//! The gateway's foreign functions, called by a guest over the ABI.
#![allow(clippy::unwrap_used, clippy::panic)] // tests may

mod kit;

use std::sync::Arc;

use gateway_core::{
    Body,
    config::{Checked, Config, Consumer, CredentialKind, Plugin as PluginEntity, schema::Record},
    identity,
    plugin::{Configured, Exchange, Flow, Handler, Plugin, Registry},
};
use gateway_plugins::{Area, Builder, Consumers, Function};
use http::{HeaderValue, Request};
use kit::{Answer, Edge, RELAY, builder, bytes, digits, edge_among, empty, line, request};
use plugin_contract::{
    Call, NOW,
    consumer::{Authenticate, Current, Field, Find, Groups, Identity, Kind, Who},
    crypto::{Cipher, Digest, Hash, Key, Open, Password, Scheme, Seal, Sign, VerifyMac, VerifyPassword},
    decode,
    jwt::{Algorithm, Demand, Keys, Refusal, Verified, Verifier, Verify},
    ratelimit::{self, Allow, Check, Decision, Of, Report, Tell},
    request::{Received, Target},
    response::Headers,
    secret,
    var::{Get, Set},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// alice, whose credentials are of all kinds, and nobody.
const WHO: &str = r#"
_format_version: "3.0"
consumers:
- username: alice
  custom_id: a-1
  keyauth_credentials: [{ id: 11111111-1111-1111-1111-111111111111, key: secret }]
  jwt_secrets: [{ id: 22222222-2222-2222-2222-222222222222, key: issuer, secret: hidden, algorithm: HS512 }]
  basicauth_credentials:
  - { id: 33333333-3333-3333-3333-333333333333, username: al, password: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" }
  acls: [{ group: staff }, { group: admin }]
- username: nobody
"#;

/// Tells the upstream which configuration a plugin of lower priority runs with.
struct Probe(Record);

struct Says(String);

impl Handler for Says {
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        request.headers_mut().insert("x-probe", HeaderValue::from_str(&self.0).unwrap());
        Flow::Continue
    }
}

impl Plugin for Probe {
    fn name(&self) -> &str {
        "probe"
    }

    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.0
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        Ok(Configured::handler(Says(config["says"].as_str().unwrap_or_default().to_owned())))
    }
}

async fn edge(config: Value) -> Edge {
    let registry = Registry::empty().with(Probe(Record::new(Vec::new()).open()));
    let others = Checked::parse(WHO, &registry).unwrap().into_config();
    let alice = others.consumers.values().find(|it| it.username.as_deref() == Some("alice")).unwrap().clone();
    let others =
        [("anyone", None), ("alice", Some(alice.id))].into_iter().fold(others, |others, (says, id)| {
            let mut entity = PluginEntity::new("probe", json!({ "says": says }));
            entity.consumer = id.map(Into::into);
            others.with(entity)
        });
    edge_with(others, registry, config).await
}

async fn edge_with(others: Config, registry: Registry, config: Value) -> Edge {
    edge_among(relaying(), &RELAY, config, others, registry).await
}

/// The relay with all areas.
fn relaying() -> Builder {
    builder("relay").grant(Area::ALL)
}

/// Sends a request on which the relay makes these calls.
async fn relay(edge: &Edge, calls: &[String]) -> Answer {
    let mut request = request("GET", "/x");
    for (name, value) in [("x-consumer-id", "spoofed"), ("x-credential-identifier", "spoofed")] {
        request = request.header(name, value);
    }
    for call in calls {
        request = request.header("x-call", call);
    }
    edge.ask(request.body(empty()).unwrap()).await
}

/// The bytes of each answer; the first of them says that it is there at once.
fn answers(answer: &Answer) -> Vec<Vec<u8>> {
    let now = |digits: &str| {
        let mut bytes = bytes(digits);
        assert_eq!(bytes.remove(0), NOW, "{digits}");
        bytes
    };
    answer.sent("x-answer").into_iter().map(now).collect()
}

fn key(key: &str) -> Authenticate<'_> {
    Authenticate { who: Who::Key { kind: Kind::Key, key } }
}

/// compat P17
#[tokio::test]
async fn a_known_key_makes_its_owner_the_requests_consumer() {
    let edge = edge(json!({})).await;
    let answer = relay(&edge, &[line(&Current), line(&key("secret")), line(&Current), line(&Groups)]).await;
    let answers = answers(&answer);
    assert_eq!(decode::<Option<Identity<'_>>>(&answers[0]), Some(None));
    let identity = decode::<Option<Identity<'_>>>(&answers[1]).unwrap().unwrap();
    assert_eq!((identity.username, identity.custom_id), (Some("alice"), Some("a-1")));
    assert_eq!(identity.credential, Some([0x11; 16]));
    assert_eq!(answers[2], answers[1], "the same callback knows it");
    assert_eq!(decode::<Vec<&str>>(&answers[3]).unwrap(), ["admin", "staff"]);
    assert_eq!(answer.sent("x-consumer-username"), ["alice"]);
    assert_eq!(answer.sent("x-consumer-custom-id"), ["a-1"]);
    assert_eq!(answer.sent("x-credential-identifier"), ["11111111-1111-1111-1111-111111111111"]);
    assert_eq!(answer.sent("x-consumer-id").len(), 1);
    assert_eq!(answer.sent("x-probe"), ["alice"], "later plugins run as configured for her");
}

/// compat P17
#[tokio::test]
async fn an_unknown_key_changes_nothing_and_somebody_may_stand_in() {
    let edge = edge(json!({})).await;
    let answer = relay(&edge, &[line(&key("wrong")), line(&key(""))]).await;
    assert_eq!(answers(&answer), [[0], [0]]);
    assert_eq!(answer.sent("x-probe"), ["anyone"]);
    assert!(answer.sent("x-consumer-username").is_empty());
    let answer = relay(&edge, &[line(&Authenticate { who: Who::Anonymous("nobody") })]).await;
    assert_eq!(answer.sent("x-consumer-username"), ["nobody"]);
    assert_eq!(answer.sent("x-anonymous-consumer"), ["true"]);
    assert!(answer.sent("x-credential-identifier").is_empty());
    for who in [Who::Consumer("alice"), Who::Credential([0x11; 16])] {
        let answer = relay(&edge, &[line(&Authenticate { who })]).await;
        assert_eq!((answer.sent("x-probe"), answer.sent("x-anonymous-consumer").len()), (vec!["alice"], 0));
    }
}

#[tokio::test]
async fn looking_changes_nothing_and_secrets_stay() {
    let edge = edge(json!({})).await;
    let field = |name| line(&Field { credential: [0x22; 16], name });
    let find = line(&Find { kind: Kind::Jwt, key: "issuer" });
    let answer = relay(&edge, &[find, field("algorithm"), field("secret"), field("id")]).await;
    let answers = answers(&answer);
    let found = decode::<Option<Identity<'_>>>(&answers[0]).unwrap().unwrap();
    assert_eq!(found.credential, Some([0x22; 16]));
    let texts: Vec<_> = answers[1..].iter().map(|it| decode::<Option<&str>>(it).unwrap()).collect();
    assert_eq!(texts, [Some("HS512"), None, None]);
    assert_eq!(answer.sent("x-probe"), ["anyone"]);
}

#[tokio::test]
async fn fields_of_the_answer_are_kept_until_it_comes() {
    let edge = edge(json!({})).await;
    let set = |set: &[(&'static str, &'static str)]| line(&Headers { set: set.to_vec() });
    let calls = [set(&[("x-limit", "1"), ("content-type", "a/b")]), set(&[("X-Limit", "2")])];
    let answer = relay(&edge, &calls).await;
    assert_eq!((answer.header("x-limit"), answer.header("content-type")), ("2", "a/b"));
    assert_eq!(answer.headers.get_all("x-limit").iter().count(), 1);
    let refused =
        [set(&[("x-a", "1"), ("content-length", "7")]), set(&[("a b", "1")]), set(&[("x-b", "\n")])];
    let answer = relay(&edge, &refused).await;
    assert_eq!(answer.sent("x-answer"), ["BadArgument"; 3]);
    assert!(!answer.headers.contains_key("x-a"), "all or nothing");
    let request = request("GET", "/x").header("x-call-response", set(&[("x-late", "yes")]));
    let answer = edge.ask(request.body(empty()).unwrap()).await;
    assert_eq!((answer.header("x-late"), answer.header("x-answer")), ("yes", "00"));
}

#[tokio::test]
async fn the_target_is_known_as_it_was_sent_and_as_it_goes_upstream() {
    let edge = edge(json!({})).await;
    let calls = [line(&Received), line(&Target)];
    let request = calls.iter().fold(request("GET", "/x//./y?a=%7e"), |it, call| it.header("x-call", call));
    let answer = edge.ask(request.body(empty()).unwrap()).await;
    let answers = answers(&answer);
    assert_eq!(decode::<&str>(&answers[0]), Some("/x//./y?a=%7e"));
    assert_eq!(decode::<&str>(&answers[1]), Some("/x/y?a=%7e"));
}

#[tokio::test]
async fn nobody_is_authenticated_once_the_request_is_gone() {
    let edge = edge(json!({})).await;
    let request = request("GET", "/x").header("x-call-response", line(&key("secret")));
    let answer = edge.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.header("x-answer"), "BadArgument");
}

#[tokio::test]
async fn values_are_set_for_one_request() {
    let edge = edge(json!({})).await;
    let (get, set) = (line(&Get { name: "a" }), line(&Set { name: "a", value: b"\xff\x00" }));
    let large = line(&Set { name: "b", value: &[0; 17_000] });
    let answer = relay(&edge, &[get.clone(), set, get.clone(), large[..200].to_owned()]).await;
    assert_eq!(answer.sent("x-answer"), ["0000", "0001", "000102ff00", "BadArgument"]);
    assert_eq!(relay(&edge, &[get]).await.sent("x-answer"), ["0000"]);
}

/// Arguments that are not what the function takes.
fn broken<C: Call>(call: &C) -> [String; 3] {
    let good = plugin_contract::encode(call, Vec::new()).unwrap();
    let longer = [&good[..], &[0]].concat();
    let shorter = &good[..good.len().saturating_sub(1)];
    // A length that no memory holds.
    let endless = [&good[..good.len().min(1)], &[0xff; 10][..]].concat();
    [longer, shorter.to_vec(), endless].map(|bytes| format!("{} {}", C::NAME, digits(&bytes)))
}

#[tokio::test]
async fn arguments_that_are_none_are_refused() {
    let edge = edge(json!({})).await;
    let calls: Vec<_> = [
        broken(&key("secret")),
        broken(&Find { kind: Kind::Key, key: "secret" }),
        broken(&Field { credential: [0; 16], name: "x" }),
        broken(&Headers { set: vec![("a", "b")] }),
        broken(&Report { fields: vec![("a", ratelimit::Says::Reset(Of::Window(1)))], refused: Vec::new() }),
        broken(&Allow { check: Check { limiter: 0, key: "a".into(), cost: 1 }, report: 0 }),
        broken(&Tell { report: 0, decision: Decision { allowed: true, windows: Vec::new() } }),
        broken(&Get { name: "a" }),
        broken(&Set { name: "a", value: b"b" }),
    ]
    .concat();
    let answer = relay(&edge, &calls).await;
    assert_eq!(answer.sent("x-answer"), vec!["BadArgument"; calls.len()]);
    // A kind that is none, and text that is not UTF-8.
    let calls = ["gateway.consumer.find 090161", "gateway.consumer.find 0001ff", "gateway.nothing.here 00"];
    let answer = relay(&edge, &calls.map(str::to_owned)).await;
    assert_eq!(answer.sent("x-answer"), ["BadArgument", "BadArgument", "NotFound"]);
}

/// One who is known by every key, and by no configuration.
struct Everybody(Arc<identity::Identity>);

impl Consumers for Everybody {
    fn by_key<'a>(
        &'a self,
        _: &'a Exchange,
        _: CredentialKind,
        _: &str,
    ) -> Option<&'a Arc<identity::Identity>> {
        Some(&self.0)
    }

    fn by_credential<'a>(&'a self, _: &'a Exchange, _: Uuid) -> Option<&'a Arc<identity::Identity>> {
        None
    }

    fn named<'a>(&'a self, _: &'a Exchange, _: &str) -> Option<&'a Arc<identity::Identity>> {
        None
    }

    fn with_custom_id<'a>(&'a self, _: &'a Exchange, _: &str) -> Option<&'a Arc<identity::Identity>> {
        None
    }
}

#[tokio::test]
async fn an_embedder_may_know_consumers_of_its_own() {
    let eve = identity::Identity::new(&Arc::new(Consumer::new("eve")), ["all".into()]);
    let builder = relaying().consumers(Arc::new(Everybody(Arc::new(eve))));
    let edge = edge_among(builder, &RELAY, json!({}), Config::default(), Registry::empty()).await;
    let who = line(&Authenticate { who: Who::Anonymous("nobody") });
    let answer = relay(&edge, &[line(&key("any")), line(&Groups), who]).await;
    assert_eq!(answer.sent("x-consumer-username"), ["eve"]);
    assert_eq!(answers(&answer)[1..], [&b"\x01\x03all"[..], &[0]]);
}

/// Counts the requests of a configuration, and says who it is.
struct Counting;

impl Function for Counting {
    type Arguments<'a> = Get<'a>;

    fn call<'a>(
        &'a self,
        _: Get<'a>,
        call: &'a mut gateway_plugins::Call<'_>,
    ) -> Result<gateway_plugins::Reply<Option<&'a [u8]>>, gateway_plugins::Status> {
        assert!(!call.configuration.entity.id.is_nil());
        let kept = call.configuration.kept::<std::sync::Mutex<Vec<u8>>>().unwrap();
        kept.lock().unwrap().push(1);
        let seen = kept.lock().unwrap().clone();
        Ok(gateway_plugins::Reply::later(async move { Some(seen) }))
    }
}

#[tokio::test]
async fn a_function_may_answer_later_and_keep_things() {
    let registry = Registry::empty();
    let edge = edge_among(relaying().serve(Counting), &RELAY, json!({}), Config::default(), registry).await;
    for times in 1..=2 {
        let answer = relay(&edge, &[line(&Get { name: "" })]).await;
        assert!(answer.sent("x-answer")[0].starts_with("01"));
        let late = [vec![1, times], vec![1; times.into()]].concat();
        assert_eq!(answer.sent("x-late"), [digits(&late)], "without a byte before it");
    }
}

/// The answers that came later, which have no byte before them.
fn late(answer: &Answer) -> Vec<Vec<u8>> {
    answer.sent("x-late").into_iter().map(bytes).collect()
}

#[tokio::test]
async fn keys_are_used_that_the_guest_never_sees() {
    let edge = edge(json!({ "host": { "secrets": ["{vault://env/path}"] } })).await;
    let tag = {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"hidden");
        aws_lc_rs::hmac::sign(&key, b"data").as_ref().to_vec()
    };
    let key = |field| Key::Credential { id: [0x22; 16], field };
    let mac = |key| line(&VerifyMac { hash: Hash::Sha256, key, data: b"data", mac: &tag });
    let read = |reference| line(&secret::Get { reference });
    let calls = [
        line(&Digest { hash: Hash::Sha1, data: b"abc" }),
        mac(key("secret")),
        mac(key("other")),
        read("{vault://env/path}"),
    ];
    let answers = answers(&relay(&edge, &calls).await);
    assert_eq!(decode::<&[u8]>(&answers[0]).unwrap(), bytes("a9993e364706816aba3e25717850c26c9cd0d89d"));
    assert_eq!((&answers[1][..], &answers[2][..]), (&[1][..], &[0][..]));
    let path = decode::<Option<&[u8]>>(&answers[3]).unwrap().unwrap();
    assert_eq!(path, std::env::var("PATH").unwrap().as_bytes());
    let refused = [read("{vault://env/home}"), mac(Key::Secret("{file:///etc/passwd}"))];
    assert_eq!(relay(&edge, &refused).await.sent("x-answer"), ["BadArgument"; 2]);
}

#[tokio::test]
async fn what_is_sealed_in_one_request_opens_in_the_next() {
    let edge = edge(json!({})).await;
    let (cipher, key) = (Cipher::ChaCha20Poly1305, Key::Credential { id: [0x11; 16], field: "key" });
    let seal = line(&Seal { cipher, key, purpose: "p", plain: b"alice", beside: b"" });
    // The key of the credential is too short to derive others from.
    assert_eq!(answers(&relay(&edge, &[seal]).await), [[0]]);
    let key = Key::Bytes(&[7; 32]);
    let seal = line(&Seal { cipher, key, purpose: "p", plain: b"alice", beside: b"" });
    let sealed = answers(&relay(&edge, &[seal]).await).remove(0);
    let sealed = decode::<Option<&[u8]>>(&sealed).unwrap().unwrap();
    let open = line(&Open { cipher, key, purpose: "p", sealed, beside: b"" });
    let opened = answers(&relay(&edge, &[open]).await).remove(0);
    assert_eq!(decode::<Option<&[u8]>>(&opened).unwrap(), Some(&b"alice"[..]));
}

#[tokio::test]
async fn slow_answers_come_later() {
    let edge = edge(json!({})).await;
    let verify = |password| line(&VerifyPassword { username: "al", password });
    let sign = line(&Sign { scheme: Scheme::Es256, key: Key::Bytes(b"none"), data: b"x" });
    let answer = relay(&edge, &[verify("U*U"), verify("wrong"), sign]).await;
    let tokens = answer.sent("x-answer");
    assert!(tokens.len() == 3 && tokens.iter().all(|token| token.starts_with("01") && token.len() == 10));
    let mut late = late(&answer);
    late.sort();
    let verified = |good| {
        plugin_contract::encode(&Password { credential: [0x33; 16], known: true, good }, Vec::new()).unwrap()
    };
    assert_eq!(late, [vec![0], verified(false), verified(true)]);
}

const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn verifier(keys: Keys<'_>) -> Verifier<'_> {
    Verifier {
        algorithms: vec![Algorithm::Hs512, Algorithm::Signed(Scheme::Es256)],
        keys,
        expires: Demand::Ignored,
        begins: Demand::Ignored,
        leeway: 0,
        longest: 0,
        issuers: Vec::new(),
        audiences: Vec::new(),
        types: Vec::new(),
    }
}

/// compat P22
#[tokio::test]
async fn a_token_makes_its_owner_the_requests_consumer() {
    let keys = Keys::Credentials { claim: "iss", base64: false };
    let edge = edge(json!({ "calls": line(&verifier(keys)) })).await;
    let header = "eyJhbGciOiJIUzUxMiJ9.eyJpc3MiOiJpc3N1ZXIifQ";
    let tag = {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA512, b"hidden");
        let tag = aws_lc_rs::hmac::sign(&key, header.as_bytes());
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, tag)
    };
    let token = format!("{header}.{tag}");
    let call = line(&Verify { verifier: 0, token: &token });
    for _ in 0..2 {
        let answer = relay(&edge, &[call.clone(), line(&Verify { verifier: 0, token: ES256 })]).await;
        assert_eq!(answer.sent("x-configured"), ["0000"], "it has one number for all");
        let answers = answers(&answer);
        let verified = decode::<Result<Verified<'_>, Refusal<'_>>>(&answers[0]).unwrap().unwrap();
        assert_eq!((verified.claims, verified.credential), (r#"{"iss":"issuer"}"#, Some([0x22; 16])));
        let refused = decode::<Result<Verified<'_>, Refusal<'_>>>(&answers[1]).unwrap();
        assert_eq!(refused, Err(Refusal::NoCredential));
    }
    let who = line(&Authenticate { who: Who::Credential([0x22; 16]) });
    let answer = relay(&edge, &[call, who]).await;
    assert_eq!(answer.sent("x-credential-identifier"), ["issuer"]);
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_through_an_upstream() {
    let keys = |upstream| Keys::Address { upstream, url: "http://auth.example/keys", fresh: 60 };
    let calls = [line(&verifier(keys("auth"))), line(&verifier(keys("other")))].join(",");
    let edge = edge(json!({ "calls": calls })).await;
    let call = line(&Verify { verifier: 0, token: ES256 });
    let answer = relay(&edge, std::slice::from_ref(&call)).await;
    assert_eq!(answer.sent("x-configured"), ["0000", "BadArgument"], "the other one is not granted");
    let late = late(&answer);
    let verified = decode::<Result<Verified<'_>, Refusal<'_>>>(&late[0]).unwrap().unwrap();
    assert!(verified.claims.contains("joe") && verified.credential.is_none());
    let answer = relay(&edge, &[call]).await;
    assert_eq!(answers(&answer)[0], late[0], "from then on the answer is there at once");
}
