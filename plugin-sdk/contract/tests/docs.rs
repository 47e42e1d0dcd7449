//! The examples of docs/foreign-functions.md are what the types make.
#![allow(clippy::unwrap_used, clippy::panic)] // a test may

use std::{collections::BTreeMap, fs, path::Path};

use plugin_contract::{
    Call,
    consumer::{Admit, Authenticate, Current, Field, Find, Groups, Identity, Kind, Who},
    counter::Add,
    crypto::{
        Cipher, Digest, Equal, Hash, Key, Mac, Open, Password, Random, Scheme, Seal, Sign, Verify, VerifyMac,
        VerifyPassword,
    },
    decode, encode,
    jwt::{self, Algorithm, Demand, Keys, Problem, Refusal, Verified, Verifier},
    kv::{self, Delete, Entry, Only, Outcome},
    ratelimit::{
        self, Allow, Check, Decision, Limiter, Of, Period, Redis, Report, Says, State, Store, Tell, Window,
    },
    request,
    response::Headers,
    secret,
    var::{Get, Set},
};

/// The rows of the page that are examples: what each is called by, its name, its arguments and its answer.
struct Page(BTreeMap<(String, String), (String, String)>);

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/foreign-functions.md");
        let (mut examples, mut call) = (BTreeMap::new(), String::new());
        for line in fs::read_to_string(path).unwrap().lines() {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, first, arguments, answer, _] = cells[..] else { continue };
            match first.strip_prefix("`gateway.") {
                Some(name) => call = format!("gateway.{}", name.trim_end_matches('`')),
                // Heads of tables, and the table of refusals.
                None if call.is_empty() || ["call", "number"].contains(&first) => {}
                None if first.bytes().all(|sign| sign.is_ascii_digit() || sign == b'-') => {}
                None => {
                    let digits = |cell: &str| cell.trim_matches('`').replace(' ', "");
                    examples.insert((call.clone(), first.to_owned()), (digits(arguments), digits(answer)));
                }
            }
        }
        Self(examples)
    }

    /// Compares an example and strikes it off.
    fn shows<C: Call>(&mut self, what: &str, call: &C, answer: Option<C::Answer<'_>>) {
        let key = (C::NAME.to_owned(), what.to_owned());
        let (arguments, shown) = self.0.remove(&key).unwrap_or_else(|| panic!("no example {key:?}"));
        assert_eq!(arguments, digits(&encode(call, Vec::new()).unwrap()), "{key:?}");
        let answer = answer.map(|answer| digits(&encode(&answer, Vec::new()).unwrap()));
        assert_eq!(shown, answer.unwrap_or_default(), "{key:?}");
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_page_shows_the_bytes() {
    let mut page = Page::read();
    let page = &mut page;
    consumers(page);
    page.shows("what goes upstream", &request::Target, Some("/a?b"));
    page.shows("what was sent", &request::Received, Some("//a?"));
    page.shows("`a: 1`", &Headers { set: vec![("a", "1")] }, Some(()));
    page.shows("`user` is `a`", &Set { name: "user", value: b"a" }, Some(true));
    page.shows("`user`", &Get { name: "user" }, Some(Some(b"a")));
    limits(page);
    counters_and_values(page);
    crypto(page);
    tokens(page);
    page.shows("a variable", &secret::Get { reference: "{vault://env/k}" }, Some(Some(b"s")));
    let left: Vec<_> = page.0.keys().collect();
    assert!(left.is_empty(), "examples that nothing makes: {left:?}");
}

fn consumers(page: &mut Page) {
    let identity = Identity {
        consumer: [0x11; 16],
        username: Some("alice"),
        custom_id: None,
        credential: Some([0x22; 16]),
    };
    let authenticate = |who| Authenticate { who };
    let key = Who::Key { kind: Kind::Key, key: "abc" };
    page.shows("the owner of the key `abc`", &authenticate(key), Some(Some(identity)));
    page.shows("the key `abc` is good", &Admit { who: key }, Some(true));
    page.shows("the consumer `guest` stands in", &authenticate(Who::Anonymous("guest")), Some(None));
    page.shows("the JWT credential `issuer`", &Find { kind: Kind::Jwt, key: "issuer" }, Some(None));
    page.shows("who it is", &Current, Some(None));
    page.shows("its groups", &Groups, Some(vec!["admin", "staff"]));
    let field = Field { credential: [0x22; 16], name: "algorithm" };
    page.shows("its algorithm", &field, Some(Some("RS256")));
}

fn limits(page: &mut Page) {
    let window = |period, limit| Window { period, limit };
    let windows = vec![window(Period::Minute, 3), window(Period::Hour, 100)];
    let limiter = Limiter { algorithm: ratelimit::Algorithm::Fixed, windows, store: Store::Local, name: "" };
    page.shows("3 in a minute and 100 in an hour", &limiter, Some(0));
    let (algorithm, windows) = (ratelimit::Algorithm::Sliding, vec![window(Period::Seconds(30), 5)]);
    let limiter = Limiter { algorithm, windows, store: Store::Redis(redis()), name: "a" };
    page.shows("5 in 30 seconds, in Redis", &limiter, None);
    let state = |limit, remaining, reset| State { limit, remaining, reset };
    let decision = Decision { allowed: true, windows: vec![state(3, 2, 12), state(100, 99, 1812)] };
    page.shows("`a`, once", &Check { limiter: 0, key: "a".into(), cost: 1 }, Some(Some(decision)));
    let caller = Check { limiter: 1, key: ratelimit::Key::Consumer, cost: 1 };
    page.shows("whoever calls, from Redis, which does not answer", &caller, Some(None));
    let fields = vec![("limit", Says::Text("3")), ("rest", Says::Remaining(Of::Window(0)))];
    let report = Report { fields, refused: vec![("retry-after", Says::Reset(Of::Tightest))] };
    page.shows("`limit: 3`, `rest`, and `retry-after`", &report, Some(0));
    let check = Check { limiter: 0, key: "a".into(), cost: 1 };
    page.shows("`a`, once", &Allow { check, report: 0 }, Some(Some(true)));
    let decision = Decision { allowed: false, windows: vec![state(3, 0, 12)] };
    page.shows("it is refused", &Tell { report: 0, decision }, Some(()));
}

fn redis() -> Redis<'static> {
    Redis {
        host: "r",
        port: 6379,
        timeout: 2000,
        username: None,
        password: None,
        database: 0,
        tls: false,
        verify: false,
        server_name: None,
        sync: None,
    }
}

fn counters_and_values(page: &mut Page) {
    let (namespace, key) = ("n", "k");
    let add = Add { namespace, key, delta: -5, ttl: 60, store: Store::Local };
    page.shows("5 less, for a minute", &add, Some(Some(-5)));
    let set = kv::Set { namespace, key, value: b"v", ttl: Some(60), only: Only::Absent };
    page.shows("`v` for a minute, where there is none", &set, Some(Outcome::Done(1)));
    page.shows("there is one", &set, Some(Outcome::Refused(Some(1))));
    page.shows("the value", &kv::Get { namespace, key }, Some(Some(Entry { value: b"v", version: 1 })));
    page.shows("always", &Delete { namespace, key, only: Only::Always }, Some(true));
    let redis = redis();
    page.shows("`r`, 2 seconds, `shop`", &kv::Open { redis, prefix: "shop" }, Some(0));
    let (store, get) = (0, kv::Get { namespace, key });
    let held = Some(Entry { value: b"v", version: 1 });
    page.shows("the value", &kv::Fetch { store, get }, Some(Some(held)));
    page.shows(
        "`v` for a minute, where there is none",
        &kv::Store { store, set },
        Some(Some(Outcome::Done(1))),
    );
    let delete = Delete { namespace, key, only: Only::Version(1) };
    page.shows("its version is 1", &kv::Remove { store, delete }, Some(Some(true)));
}

fn crypto(page: &mut Page) {
    let (key, data) = (Key::Bytes(b"k"), b"x");
    let sha1: Vec<u8> = (0..20)
        .map(|at| {
            u8::from_str_radix(&"a9993e364706816aba3e25717850c26c9cd0d89d"[2 * at..2 * at + 2], 16).unwrap()
        })
        .collect();
    page.shows("SHA-1 of `abc`", &Digest { hash: Hash::Sha1, data: b"abc" }, Some(&sha1));
    let secret = Key::Credential { id: [0x22; 16], field: "secret" };
    let mac = Mac { hash: Hash::Sha256, key: secret, data };
    page.shows("HMAC-SHA-256 of `x` with the secret of a credential", &mac, None);
    let mac = VerifyMac { hash: Hash::Sha256, key, data, mac: &[0xab, 0xcd] };
    page.shows("with the key `k`", &mac, Some(false));
    page.shows("`a` and `a`", &Equal { a: b"a", b: b"a" }, Some(true));
    page.shows("300 bytes", &Random { length: 300 }, None);
    let sign = Sign { scheme: Scheme::Es256, key: Key::Secret("{vault://env/k}"), data };
    page.shows("ES256 with a secret", &sign, None);
    let verify = Verify { scheme: Scheme::EdDsa, key, data, signature: b"y" };
    page.shows("EdDSA, a key that is none", &verify, Some(false));
    let (cipher, purpose, beside) = (Cipher::Aes256Gcm, "p", &b""[..]);
    page.shows("AES, `a` for `p`", &Seal { cipher, key, purpose, plain: b"a", beside }, Some(None));
    page.shows("AES, for `p`", &Open { cipher, key, purpose, sealed: b"a", beside }, Some(None));
    let verified = Password { credential: [0x33; 16], known: true, good: false };
    page.shows("`u`, who has another", &VerifyPassword { username: "u", password: "pw" }, Some(verified));
}

fn tokens(page: &mut Page) {
    let verifier = Verifier {
        algorithms: vec![Algorithm::Signed(Scheme::Rs256)],
        keys: Keys::Credentials { claim: "iss", base64: false },
        expires: Demand::Required,
        begins: Demand::IfThere,
        leeway: 0,
        longest: 0,
        issuers: Vec::new(),
        audiences: Vec::new(),
        types: Vec::new(),
    };
    page.shows("RS256 by the credential that `iss` names, `exp` required", &verifier, Some(0));
    let verify = jwt::Verify { verifier: 0, token: "a.b.c" };
    let verified = Verified { header: "{}", claims: "{}", credential: None };
    page.shows("a good one", &verify, Some(Ok(verified)));
    let over = Refusal::Claims(vec![("exp", Problem::Expired)]);
    page.shows("it is over", &verify, Some(Err(over)));
}

/// The numbers of the page's last table.
#[test]
fn refusals_have_their_numbers() {
    let all = [
        Refusal::Json,
        Refusal::Type,
        Refusal::UnknownAlgorithm,
        Refusal::Unsupported,
        Refusal::TooLong,
        Refusal::Algorithm,
        Refusal::NoClaim,
        Refusal::Claim,
        Refusal::NoCredential,
        Refusal::NoKey,
        Refusal::Key,
        Refusal::Signature,
        Refusal::Claims(Vec::new()),
        Refusal::Unavailable,
    ];
    for (number, refusal) in (0_u8..).zip(all) {
        let bytes = encode(&refusal, Vec::new()).unwrap();
        assert_eq!(bytes.first(), Some(&number));
        assert_eq!(decode::<Refusal<'_>>(&bytes), Some(refusal));
    }
}
