//! Vectors of RFC 7515 and RFC 7519, and the attacks of RFC 8725.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use gateway_core::Body;
use http::{Request, Response};
use plugin_contract::{
    crypto::{Key, Scheme},
    decode,
    jwt::{Algorithm, Demand, Keys, Problem, Refusal, Verified, Verifier as Spec, Verify},
};
use serde_json::json;

use super::{make, verify};
use crate::{
    Calling, Status, Upstreams,
    functions::testing::{Plugin, answer},
};

/// The claims of RFC 7515, appendix A, which are those of RFC 7519, section 3.1.
const CLAIMS: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const KEYS: &str = r#"{"keys":[
{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},
{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"unknown"}, {"kty":"RSA","use":"enc","n":"AQ","e":"AQAB"}]}"#;

fn spec(keys: Keys<'_>) -> Spec<'_> {
    let signed = [Scheme::Rs256, Scheme::Es256].map(Algorithm::Signed);
    Spec {
        algorithms: [&signed[..], &[Algorithm::Hs256]].concat(),
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

async fn made(plugin: &Plugin, spec: &Spec<'_>) -> Result<u32, Status> {
    Ok(answer(&plugin.ask(make, spec).await?))
}

/// What becomes of a token: its claims, or why not.
async fn judged(plugin: &Plugin, verifier: u32, token: &str) -> Result<String, Refusal<'static>> {
    let bytes = plugin.ask(verify, &Verify { verifier, token }).await.unwrap();
    match decode::<Result<Verified<'_>, Refusal<'_>>>(&bytes).unwrap() {
        Ok(verified) => Ok(verified.claims.to_owned()),
        Err(Refusal::Claims(problems)) => {
            Err(Refusal::Claims(problems.iter().map(|(name, problem)| (known(name), *problem)).collect()))
        }
        Err(refusal) => Err(match refusal {
            Refusal::Json => Refusal::Json,
            Refusal::Type => Refusal::Type,
            Refusal::UnknownAlgorithm => Refusal::UnknownAlgorithm,
            Refusal::Unsupported => Refusal::Unsupported,
            Refusal::TooLong => Refusal::TooLong,
            Refusal::Algorithm => Refusal::Algorithm,
            Refusal::NoClaim => Refusal::NoClaim,
            Refusal::Claim => Refusal::Claim,
            Refusal::NoCredential => Refusal::NoCredential,
            Refusal::NoKey => Refusal::NoKey,
            Refusal::Key => Refusal::Key,
            Refusal::Signature => Refusal::Signature,
            Refusal::Claims(_) | Refusal::Unavailable => Refusal::Unavailable,
        }),
    }
}

fn known(name: &str) -> &'static str {
    ["exp", "nbf", "iss", "aud"].into_iter().find(|known| *known == name).unwrap()
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token of these texts, signed by HMAC with SHA-256.
fn hs256(header: &str, claims: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// RFC 7515, appendices A.1 to A.3
#[tokio::test]
async fn the_examples_of_the_standard_are_good() {
    let plugin = Plugin::default();
    let verifier = made(&plugin, &spec(Keys::Set(KEYS))).await.unwrap();
    for (header, signature) in [
        ("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        (
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let token = format!("{header}.{CLAIMS}.{signature}");
        for _ in 0..2 {
            let claims = judged(&plugin, verifier, &token).await.unwrap();
            assert!(claims.starts_with(r#"{"iss":"joe""#), "{claims}");
        }
        for bent in [
            format!("{header}.{CLAIMS}A.{signature}"),
            format!("{header}.{CLAIMS}.{}", signature.replacen(&signature[..1], "A", 1)),
            format!("{header}.{CLAIMS}."),
        ] {
            let refusal = judged(&plugin, verifier, &bent).await.unwrap_err();
            assert!(matches!(refusal, Refusal::Signature | Refusal::Json), "{refusal:?}");
        }
        // Padding, white space and bits to spare make another token.
        for bent in [format!("{token}="), format!(" {token}"), format!("{token}\n"), format!("{token}.x")] {
            assert!(judged(&plugin, verifier, &bent).await.is_err(), "{bent}");
        }
    }
    // RFC 7519, section 3.1: it has been over for long.
    let strict = Spec { expires: Demand::Required, ..spec(Keys::Set(KEYS)) };
    let strict = made(&plugin, &strict).await.unwrap();
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let over = judged(&plugin, strict, &token).await;
    assert_eq!(over.unwrap_err(), Refusal::Claims(vec![("exp", Problem::Expired)]));
}

/// RFC 8725, section 2; docs/threat-model.md
#[tokio::test]
async fn attacks_are_refused() {
    let plugin = Plugin::default();
    let shared = made(&plugin, &spec(Keys::Shared(Key::Bytes(b"secret")))).await.unwrap();
    let set = made(&plugin, &spec(Keys::Set(KEYS))).await.unwrap();
    let sign = |header: &str, claims: &str| hs256(header, claims, b"secret");
    assert!(judged(&plugin, shared, &sign(r#"{"alg":"HS256"}"#, "{}")).await.is_ok());
    assert!(
        judged(&plugin, shared, &sign(r#"{"alg":"HS256","kid":"../../x","jku":"http://x"}"#, "{}"))
            .await
            .is_ok()
    );
    let none = format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}"));
    let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(9000));
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(2000), "]".repeat(2000));
    for (token, refusal) in [
        (none, Refusal::UnknownAlgorithm),
        (sign(r#"{"alg":"None"}"#, "{}"), Refusal::UnknownAlgorithm),
        (sign(r#"{"alg":"hs256"}"#, "{}"), Refusal::UnknownAlgorithm),
        (sign(r#"{"alg":["HS256"]}"#, "{}"), Refusal::UnknownAlgorithm),
        (sign("{}", "{}"), Refusal::UnknownAlgorithm),
        (sign(r#"{"alg":"HS512"}"#, "{}"), Refusal::Algorithm),
        (sign(r#"{"alg":"RS256"}"#, "{}"), Refusal::Algorithm),
        (sign(r#"{"alg":"HS256","crit":["exp"]}"#, "{}"), Refusal::Unsupported),
        (sign(r#"{"alg":"HS256","b64":false}"#, "{}"), Refusal::Unsupported),
        (sign(r#"{"alg":"HS256","zip":"DEF"}"#, "{}"), Refusal::Unsupported),
        (sign(r#"{"alg":"HS256","enc":"A256GCM"}"#, "{}"), Refusal::Unsupported),
        (sign(r#"{"alg":"HS256","typ":"at+jwt"}"#, "{}"), Refusal::Type),
        (sign(r#"{"alg":"HS256","typ":1}"#, "{}"), Refusal::Type),
        (sign(r#"{"alg":"HS256","alg":"HS256"}"#, "{}"), Refusal::Json),
        (sign(r#"{"alg":"HS256"}"#, r#"{"sub":"a","sub":"b"}"#), Refusal::Json),
        (sign(r#"{"alg":"HS256"}"#, "[]"), Refusal::Json),
        (sign(r#"{"alg":"HS256"}"#, "x"), Refusal::Json),
        (sign(r#"{"alg":"HS256"}"#, &deep), Refusal::Json),
        (sign(r#"{"alg":"HS256"}"#, &long), Refusal::TooLong),
        ("a.b.c.d.e".to_owned(), Refusal::Json),
        ("..".to_owned(), Refusal::Json),
        (String::new(), Refusal::Json),
        ("x".repeat(100_000), Refusal::TooLong),
        (hs256(r#"{"alg":"HS256"}"#, "{}", b"other"), Refusal::Signature),
    ] {
        assert_eq!(judged(&plugin, shared, &token).await, Err(refusal), "{}", &token[..token.len().min(200)]);
    }
    // A key of its own, a key that is named but not there, and zeros for a signature (CVE-2022-21449).
    let embedded = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"c2VjcmV0"}}"#;
    assert_eq!(judged(&plugin, set, &sign(embedded, "{}")).await, Err(Refusal::Signature));
    let named = r#"{"alg":"HS256","kid":"' or 1=1"}"#;
    assert_eq!(judged(&plugin, set, &sign(named, "{}")).await, Err(Refusal::NoKey));
    let zeros = format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part("{}"), URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(judged(&plugin, set, &zeros).await, Err(Refusal::Signature));
}

fn key_pair() -> (EcdsaKeyPair, String) {
    let random = SystemRandom::new();
    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref()).unwrap();
    let der = pair.public_key().as_der().unwrap().as_ref().to_vec();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
    (pair, pem)
}

fn es256(header: &str, claims: &str, pair: &EcdsaKeyPair) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 8725, section 2.1
#[tokio::test]
async fn a_public_key_is_no_secret() {
    let plugin = Plugin::default();
    let (pair, pem) = key_pair();
    let verifier = made(&plugin, &spec(Keys::Pem(&pem))).await.unwrap();
    assert!(judged(&plugin, verifier, &es256(r#"{"alg":"ES256"}"#, "{}", &pair)).await.is_ok());
    let forged = hs256(r#"{"alg":"HS256"}"#, "{}", pem.as_bytes());
    assert_eq!(judged(&plugin, verifier, &forged).await, Err(Refusal::Algorithm));
    let mistaken = made(&plugin, &spec(Keys::Shared(Key::Bytes(pem.as_bytes())))).await;
    assert_eq!(mistaken.unwrap_err(), Status::BadArgument);
}

#[tokio::test]
async fn a_verifier_that_can_be_none_is_refused() {
    let plugin = Plugin::default();
    for spec in [
        Spec { algorithms: Vec::new(), ..spec(Keys::Set(KEYS)) },
        Spec { leeway: 61, ..spec(Keys::Set(KEYS)) },
        spec(Keys::Set("{}")),
        spec(Keys::Set(r#"{"keys":[]}"#)),
        spec(Keys::Pem("no key")),
        spec(Keys::Shared(Key::Bytes(b""))),
        spec(Keys::Shared(Key::Secret("{vault://env/x}"))),
        spec(Keys::Address { upstream: "idp", url: "https://idp.example/keys", fresh: 60 }),
    ] {
        assert_eq!(made(&plugin, &spec).await.unwrap_err(), Status::BadArgument, "{spec:?}");
    }
    let unknown = plugin.ask(verify, &Verify { verifier: 7, token: "x" }).await;
    assert_eq!(unknown.unwrap_err(), Status::BadArgument);
}

#[tokio::test]
async fn the_same_verifier_is_made_once_and_their_number_is_bounded() {
    let plugin = Plugin::default();
    let secrets: Vec<_> = (0..65).map(|number| format!("secret {number}")).collect();
    for (number, secret) in (0..64).zip(&secrets) {
        for _ in 0..2 {
            let spec = spec(Keys::Shared(Key::Bytes(secret.as_bytes())));
            assert_eq!(made(&plugin, &spec).await.unwrap(), number);
        }
    }
    let one_more = made(&plugin, &spec(Keys::Shared(Key::Bytes(secrets[64].as_bytes())))).await;
    assert_eq!(one_more.unwrap_err(), Status::InternalFailure);
}

fn consumers(secret: &str, pem: &str) -> String {
    let credential = |key: &str, algorithm: &str| json!({ "key": key, "secret": secret, "algorithm": algorithm, "rsa_public_key": pem });
    let all = [credential("shared", "HS256"), credential("public", "ES256")];
    json!({ "_format_version": "3.0", "consumers": [{ "username": "a", "jwt_secrets": all }] }).to_string()
}

/// compat P22
#[tokio::test]
async fn the_credential_that_a_token_names_verifies_it() {
    let mut plugin = Plugin::default();
    let (pair, pem) = key_pair();
    plugin.serve(&consumers("secret", &pem));
    let verifier = made(&plugin, &spec(Keys::Credentials { claim: "iss", base64: false })).await.unwrap();
    let good = hs256(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"iss":"shared"}"#, b"secret");
    for token in [&good, &es256(r#"{"alg":"ES256"}"#, r#"{"iss":"public"}"#, &pair)] {
        assert!(judged(&plugin, verifier, token).await.is_ok());
    }
    let hs = |claims: &str| hs256(r#"{"alg":"HS256"}"#, claims, b"secret");
    for (token, refusal) in [
        (hs("{}"), Refusal::NoClaim),
        (hs(r#"{"iss":null}"#), Refusal::NoClaim),
        (hs(r#"{"iss":""}"#), Refusal::Claim),
        (hs(r#"{"iss":7}"#), Refusal::Claim),
        (hs(r#"{"iss":"nobody"}"#), Refusal::NoCredential),
        (hs(r#"{"iss":"public"}"#), Refusal::Algorithm),
        (hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"public"}"#, pem.as_bytes()), Refusal::Algorithm),
        (es256(r#"{"alg":"ES256"}"#, r#"{"iss":"shared"}"#, &pair), Refusal::Algorithm),
        (hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"shared"}"#, b"other"), Refusal::Signature),
    ] {
        assert_eq!(judged(&plugin, verifier, &token).await, Err(refusal), "{token}");
    }
    // A field of the header may name it, too.
    let by_header = made(&plugin, &spec(Keys::Credentials { claim: "kid", base64: false })).await.unwrap();
    let token = hs256(r#"{"alg":"HS256","kid":"shared"}"#, "{}", b"secret");
    assert!(judged(&plugin, by_header, &token).await.is_ok());
    // What was good is not good any more by another secret.
    plugin.serve(&consumers("other", &pem));
    assert_eq!(judged(&plugin, verifier, &good).await, Err(Refusal::Signature));
    plugin.serve("{_format_version: '3.0', consumers: [{username: a}]}");
    assert_eq!(judged(&plugin, verifier, &good).await, Err(Refusal::NoCredential));
}

#[tokio::test]
async fn secrets_may_be_written_in_base64() {
    let mut plugin = Plugin::default();
    for written in ["_-8", "/+8=", "/+8"] {
        plugin.serve(&consumers(written, "x"));
        let verifier = made(&plugin, &spec(Keys::Credentials { claim: "iss", base64: true })).await.unwrap();
        let token = hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"shared"}"#, &[0xff, 0xef]);
        assert!(judged(&plugin, verifier, &token).await.is_ok(), "{written}");
    }
    plugin.serve(&consumers("!!", "x"));
    let verifier = made(&plugin, &spec(Keys::Credentials { claim: "iss", base64: true })).await.unwrap();
    let token = hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"shared"}"#, b"x");
    assert_eq!(judged(&plugin, verifier, &token).await, Err(Refusal::Key));
}

/// An upstream that says what it is told to, in turn.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<String>>,
}

impl Upstreams for Script {
    fn call(&self, name: &str, request: Request<Body>, _: usize) -> Option<Calling> {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        self.asked.lock().unwrap().push(format!("{name} {host} {}", request.uri()));
        let (status, text) = self.answers.lock().unwrap().pop_front()?;
        Some(Box::pin(async move {
            Ok(Response::builder().status(status).body(Body::from(Bytes::from(text))).unwrap())
        }))
    }
}

fn jwks(keys: &[(&str, &EcdsaKeyPair)]) -> String {
    let keys = keys.iter().map(|(id, pair)| {
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": x, "y": y })
    });
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_when_they_are_needed_and_not_more_often() {
    let script = Arc::new(Script::default());
    let mut plugin = Plugin::default();
    plugin.sources.upstreams = Some(script.clone());
    plugin.grants.upstreams = vec!["idp".into()];
    let address = Keys::Address { upstream: "idp", url: "https://idp.example/keys?v=1", fresh: 300 };
    let verifier = made(&plugin, &spec(address)).await.unwrap();
    let ((old, _), (new, _)) = (key_pair(), key_pair());
    let token =
        |id: &str, pair: &EcdsaKeyPair| es256(&format!(r#"{{"alg":"ES256","kid":"{id}"}}"#), "{}", pair);
    let asked = || script.asked.lock().unwrap().len();
    let say = |status: u16, text: String| script.answers.lock().unwrap().push_back((status, text));
    let pass = |seconds| tokio::time::advance(std::time::Duration::from_secs(seconds));

    say(500, String::new());
    assert_eq!(judged(&plugin, verifier, &token("a", &old)).await, Err(Refusal::Unavailable));
    assert_eq!(judged(&plugin, verifier, &token("a", &old)).await, Err(Refusal::Unavailable));
    assert_eq!(asked(), 1, "it is left alone for a while");
    pass(31).await;
    say(200, jwks(&[("a", &old)]));
    assert!(judged(&plugin, verifier, &token("a", &old)).await.is_ok());
    assert_eq!(*script.asked.lock().unwrap().last().unwrap(), "idp idp.example /keys?v=1");

    for id in ["b", "c", "d"] {
        assert_eq!(judged(&plugin, verifier, &token(id, &new)).await, Err(Refusal::NoKey));
    }
    assert_eq!(asked(), 2, "unknown keys do not make it ask again at once");
    pass(31).await;
    say(200, jwks(&[("a", &old), ("b", &new)]));
    assert!(judged(&plugin, verifier, &token("b", &new)).await.is_ok(), "the new key is fetched");
    assert_eq!(asked(), 3);

    pass(301).await;
    for _ in 0..2 {
        assert!(
            judged(&plugin, verifier, &token("a", &old)).await.is_ok(),
            "what was good counts in an outage"
        );
    }
    assert_eq!(asked(), 4);
    pass(31).await;
    say(302, jwks(&[]));
    assert!(judged(&plugin, verifier, &token("a", &old)).await.is_ok(), "nobody follows a redirect");
    pass(31).await;
    say(200, "x".repeat(300_000));
    assert!(judged(&plugin, verifier, &token("a", &old)).await.is_ok(), "nor takes anything so large");
    let before = asked();
    for (seconds, more) in [(4, 0), (2, 1), (1, 1)] {
        pass(seconds).await;
        assert!(judged(&plugin, verifier, &token("a", &old)).await.is_ok());
        assert_eq!(asked(), before + more, "what failed is tried again soon, and not at once");
    }
    pass(31).await;
    say(200, jwks(&[("b", &new)]));
    assert_eq!(
        judged(&plugin, verifier, &token("a", &old)).await,
        Err(Refusal::NoKey),
        "the old key is gone"
    );
    assert!(judged(&plugin, verifier, &token("b", &new)).await.is_ok());
    pass(24 * 60 * 60 + 1).await;
    assert_eq!(judged(&plugin, verifier, &token("b", &new)).await, Err(Refusal::Unavailable), "too old");
    // What no key makes good is not good without keys either.
    let none = format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}"));
    assert_eq!(judged(&plugin, verifier, &none).await, Err(Refusal::UnknownAlgorithm));
    assert_eq!(judged(&plugin, verifier, "a.b.c").await, Err(Refusal::Json));
}

#[tokio::test(start_paused = true)]
async fn what_a_configuration_verifies_by_keys_at_one_address_has_them_in_common() {
    let script = Arc::new(Script::default());
    let mut plugin = Plugin::default();
    plugin.sources.upstreams = Some(script.clone());
    plugin.grants.upstreams = vec!["idp".into()];
    let (key, _) = key_pair();
    script.answers.lock().unwrap().push_back((200, jwks(&[("a", &key)])));
    let token = es256(r#"{"alg":"ES256","kid":"a"}"#, r#"{"aud":"api"}"#, &key);
    let address = || Keys::Address { upstream: "idp", url: "https://idp.example/keys", fresh: 300 };
    for audiences in [vec![], vec!["api"]] {
        let verifier = made(&plugin, &Spec { audiences, ..spec(address()) }).await.unwrap();
        assert!(judged(&plugin, verifier, &token).await.is_ok());
    }
    assert_eq!(script.asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn secrets_at_an_address_are_none() {
    let script = Arc::new(Script::default());
    let mut plugin = Plugin::default();
    plugin.sources.upstreams = Some(script.clone());
    plugin.grants.upstreams = vec!["idp".into()];
    script.answers.lock().unwrap().push_back((200, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned()));
    let address = Keys::Address { upstream: "idp", url: "https://idp.example/", fresh: 60 };
    let verifier = made(&plugin, &spec(address)).await.unwrap();
    let token = hs256(r#"{"alg":"HS256"}"#, "{}", b"secret");
    assert_eq!(judged(&plugin, verifier, &token).await, Err(Refusal::NoKey));
}

#[tokio::test]
async fn arguments_that_are_none_are_refused() {
    let plugin = Plugin::default();
    plugin.torment(make, &spec(Keys::Shared(Key::Bytes(b"secret")))).await;
    made(&plugin, &spec(Keys::Shared(Key::Bytes(b"secret")))).await.unwrap();
    plugin
        .torment(verify, &Verify { verifier: 0, token: &hs256(r#"{"alg":"HS256"}"#, "{}", b"secret") })
        .await;
}
