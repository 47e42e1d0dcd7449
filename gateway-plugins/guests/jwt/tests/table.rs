//! What clients and upstreams see of jwt (compat P22).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jwt::Jwt;
use plugin_sdk::{
    contract::jwt::{Problem, Refusal, Verified, Verify},
    serde_json::Value,
    testing::{Answer, Gateway, Request, json},
};
use sha2::Sha256;

/// Whether the real gateway answers: it judges tokens itself.
fn is_real() -> bool {
    std::env::var_os("PLUGIN_TESTBED").is_some()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// A token of these claims, signed by HMAC with SHA-256.
fn signed(claims: &Value, secret: &[u8]) -> String {
    signed_as(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

fn signed_as(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn good() -> String {
    signed(&json!({ "iss": "issuer", "exp": now() + 300 }), b"secret")
}

/// In the test itself only one token is good, and the others say what is wrong with them.
fn gateway(config: Value) -> Gateway {
    let gateway = Gateway::new::<Jwt>(config).unwrap();
    let gateway = gateway
        .consumer("alice", |alice| alice.jwt("issuer", "secret").jwt("other", "c2VjcmV0"))
        .consumer("nobody", |nobody| nobody);
    if is_real() {
        return gateway;
    }
    gateway.function(|call: Verify<'static>| match call.token {
        "expired" => Err(Refusal::Claims(vec![("exp", Problem::Expired)])),
        "forged" => Err(Refusal::Signature),
        "gone" => Err(Refusal::Unavailable),
        _ => Ok(Verified { header: "{}", claims: "{}", credential: Some(id_of_issuer()) }),
    })
}

/// The id that the kit gives the credential with the key `issuer`.
fn id_of_issuer() -> [u8; 16] {
    use plugin_sdk::{consumer, prelude::*};
    struct Ask;
    #[plugin(name = "ask")]
    impl Ask {
        fn configure((): ()) -> Result<Self, String> {
            Ok(Self)
        }

        fn on_request(&self, request: &mut Request) {
            let id = consumer::credential(consumer::Kind::Jwt, "issuer").unwrap().unwrap();
            request.set_header("x-id", &id.map(|byte| format!("{byte:02x}")).concat());
        }
    }
    let mut gateway = Gateway::new::<Ask>(json!({})).unwrap().consumer("a", |a| a.jwt("issuer", "secret"));
    let answer = gateway.send(plugin_sdk::testing::Request::get("/"));
    let digits = answer.upstream().header("x-id").unwrap().to_owned();
    std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
}

fn get(target: &str) -> Request {
    Request::get(target)
}

fn bearer(token: &str) -> Request {
    get("/").header("authorization", &format!("Bearer {token}"))
}

fn told(answer: &Answer) -> (u16, String) {
    let who =
        |answer: &Answer| answer.upstream().header("x-consumer-username").unwrap_or_default().to_owned();
    (answer.status(), if answer.is_forwarded() { who(answer) } else { answer.text() })
}

const NONE: (u16, &str) = (401, r#"{"message":"Unauthorized"}"#);
const SEVERAL: (u16, &str) = (401, r#"{"message":"Multiple tokens provided"}"#);
const OTHER: (u16, &str) = (401, r#"{"message":"Unrecognizable token"}"#);
const ALICE: (u16, &str) = (200, "alice");

#[test]
fn tokens_are_looked_for_where_they_may_stand() {
    let token = good();
    let second = signed(&json!({ "iss": "issuer" }), b"secret");
    let cookies = json!({ "cookie_names": ["Session"], "header_names": ["X-Token", "authorization"] });
    for (config, request, expected) in [
        (json!({}), get("/"), NONE),
        (json!({}), get("/?jwt="), NONE),
        (json!({}), get("/").header("authorization", &token), NONE),
        (json!({}), get("/").header("authorization", "Basic YTpi"), NONE),
        (json!({}), bearer(&token), ALICE),
        (json!({}), get(&format!("/?a=b&jwt={token}")), ALICE),
        (json!({}), get(&format!("/?token={token}")), NONE),
        (json!({}), get("/?jwt"), OTHER),
        (json!({}), get(&format!("/?jwt&jwt={token}")), SEVERAL),
        // The same one may stand in two places.
        (
            json!({}),
            get(&format!("/?jwt={token}")).header("authorization", &format!("bearer {token}")),
            ALICE,
        ),
        (
            json!({}),
            get(&format!("/?jwt={second}")).header("authorization", &format!("Bearer {token}")),
            SEVERAL,
        ),
        (json!({}), get(&format!("/?jwt={second}&jwt={token}")), SEVERAL),
        (json!({ "uri_param_names": [] }), get(&format!("/?jwt={token}")), NONE),
        (json!({ "header_names": [] }), bearer(&token), NONE),
        (json!({}), get("/").header("cookie", &format!("session={token}")), NONE),
        (cookies.clone(), get("/").header("cookie", &format!("a=b; session={token}; c=d")), ALICE),
        (cookies.clone(), get("/").header("cookie", "session="), NONE),
        (cookies.clone(), get("/").header("cookie", &format!("session={token}; session={second}")), SEVERAL),
        (json!({}), bearer(&token).header("authorization", &format!("Bearer {second}")), SEVERAL),
        (cookies.clone(), get("/").header("x-token", &format!("Bearer {token}")), ALICE),
        (cookies.clone(), bearer(&second).header("x-token", &format!("Bearer {token}")), SEVERAL),
        (json!({}), Request::new("OPTIONS", "/"), NONE),
        (json!({ "run_on_preflight": false }), Request::new("OPTIONS", "/"), (200, "")),
    ] {
        let answer = gateway(config.clone()).send(request.clone());
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{config} {request:?}");
        let asks = match expected {
            NONE => Some("Bearer"),
            (401, _) => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        assert_eq!(answer.header("www-authenticate"), asks, "{config} {request:?}");
    }
}

#[test]
fn what_is_wrong_with_a_token_is_said_without_the_requests_id() {
    if is_real() {
        return;
    }
    for (token, expected) in [
        ("expired", (401, r#"{"exp":"token expired"}"#)),
        ("forged", (401, r#"{"message":"Invalid signature"}"#)),
    ] {
        let answer = gateway(json!({ "realm": "mine" })).send(bearer(token));
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()));
        let asks = "Bearer realm=\"mine\" error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(asks));
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    }
    let answer = gateway(json!({})).send(bearer("gone"));
    assert_eq!((answer.status(), answer.message().as_deref()), (500, Some("An unexpected error occurred")));
}

/// The real gateway's judgement, in Kong's words.
#[test]
fn tokens_are_judged_as_in_kong() {
    if !is_real() {
        return;
    }
    let exp = json!({ "claims_to_verify": ["exp", "nbf"] });
    let limited = json!({ "claims_to_verify": ["exp"], "maximum_expiration": 60 });
    let claims = |exp: Value, nbf: Value| json!({ "iss": "issuer", "exp": exp, "nbf": nbf });
    let (past, future) = (json!(now() - 60), json!(now() + 600));
    let header = |alg: &str| json!({ "alg": alg });
    let iss = json!({ "iss": "issuer" });
    for (config, token, expected) in [
        (json!({}), signed(&iss, b"secret"), ALICE),
        (json!({}), signed_as(&json!({ "alg": "HS256", "iss": "issuer" }), &json!({}), b"secret"), ALICE),
        (json!({}), signed(&claims(past.clone(), future.clone()), b"secret"), ALICE),
        (exp.clone(), signed(&claims(future.clone(), past.clone()), b"secret"), ALICE),
        (
            exp.clone(),
            signed(&claims(past.clone(), past.clone()), b"secret"),
            (401, r#"{"exp":"token expired"}"#),
        ),
        (
            exp.clone(),
            signed(&claims(future.clone(), future.clone()), b"secret"),
            (401, r#"{"nbf":"token not valid yet"}"#),
        ),
        (
            exp.clone(),
            signed(&iss, b"secret"),
            (401, r#"{"exp":"must be a number","nbf":"must be a number"}"#),
        ),
        (exp, signed(&claims(json!("1"), past), b"secret"), (401, r#"{"exp":"must be a number"}"#)),
        (
            limited.clone(),
            signed(&json!({ "iss": "issuer", "exp": future }), b"secret"),
            (401, r#"{"exp":"exceeds maximum allowed expiration"}"#),
        ),
        (limited, signed(&json!({ "iss": "issuer", "exp": now() + 30 }), b"secret"), ALICE),
        (json!({}), "a.b.c".to_owned(), (401, r#"{"message":"Bad token; invalid JSON"}"#)),
        (json!({}), signed(&iss, b"wrong"), (401, r#"{"message":"Invalid signature"}"#)),
        (
            json!({}),
            signed_as(&header("HS512"), &iss, b"secret"),
            (401, r#"{"message":"Invalid algorithm"}"#),
        ),
        (
            json!({}),
            signed_as(&header("none"), &iss, b"secret"),
            (401, r#"{"message":"Bad token; invalid alg"}"#),
        ),
        (
            json!({}),
            signed(&json!({ "iss": "eve" }), b"secret"),
            (401, r#"{"message":"No credentials found for given 'iss'"}"#),
        ),
        (json!({}), signed(&json!({}), b"secret"), (401, r#"{"message":"No mandatory 'iss' in claims"}"#)),
        (
            json!({}),
            signed(&json!({ "iss": "" }), b"secret"),
            (401, r#"{"message":"Invalid 'iss' in claims"}"#),
        ),
        (
            json!({ "key_claim_name": "kid" }),
            signed_as(&json!({ "alg": "HS256", "kid": "issuer" }), &json!({}), b"secret"),
            ALICE,
        ),
        (
            json!({ "key_claim_name": "kid" }),
            signed(&iss, b"secret"),
            (401, r#"{"message":"No mandatory 'kid' in claims"}"#),
        ),
        (json!({ "secret_is_base64": true }), signed(&json!({ "iss": "other" }), b"secret"), ALICE),
        (json!({}), signed(&json!({ "iss": "other" }), b"c2VjcmV0"), ALICE),
    ] {
        let answer = gateway(config.clone()).send(bearer(&token));
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{config} {token}");
    }
}

#[test]
fn the_upstream_is_told_who_calls_and_somebody_may_stand_in() {
    let answer = gateway(json!({})).send(bearer(&good()));
    assert_eq!(answer.upstream().header("x-credential-identifier"), Some("issuer"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("alice"));
    let answer = gateway(json!({ "anonymous": "nobody" })).send(get("/"));
    assert_eq!(answer.upstream().header("x-consumer-username"), Some("nobody"));
    assert_eq!(answer.upstream().header("x-anonymous-consumer"), Some("true"));
}

#[test]
fn configurations_are_refused_in_kongs_words() {
    for (config, said) in [
        (json!({ "maximum_expiration": 60 }), "claims_to_verify: expected to contain: exp"),
        (
            json!({ "maximum_expiration": 60, "claims_to_verify": ["nbf"] }),
            "claims_to_verify: expected to contain: exp",
        ),
        (json!({ "claims_to_verify": ["iat"] }), "config.claims_to_verify[0]: expected one of: exp, nbf"),
        (
            json!({ "maximum_expiration": 31_536_001 }),
            "config.maximum_expiration: value should be between 0 and 31536000",
        ),
        (json!({ "secret": "x" }), "config.secret: unknown field"),
    ] {
        let refusal = Gateway::new::<Jwt>(config).err().unwrap_or_default();
        assert!(refusal.ends_with(said), "{refusal}");
    }
}
