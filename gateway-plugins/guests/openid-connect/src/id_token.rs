//! ID tokens (OpenID Connect Core 1.0, section 3.1.3.7).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plugin_sdk::{
    crypto::{self, Hash},
    jwt::{Judged, Problem, Refusal},
    serde_json::{self, Value},
};

use crate::provider::Provider;

/// What an ID token must say beside what its verifier wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'e> {
    pub(crate) client: &'e str,
    /// None for one that came with a refresh token.
    pub(crate) nonce: Option<&'e str>,
    /// Whose it must be, if that is known yet.
    pub(crate) subject: Option<&'e str>,
    pub(crate) access_token: &'e str,
    /// When the user must have logged in at the earliest.
    pub(crate) since: Option<u64>,
}

/// Why an ID token is not good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// With a word for the log.
    Token(&'static str),
    /// The provider's keys cannot be fetched.
    Unavailable,
}

/// The claims of a good ID token.
pub(crate) async fn verify(provider: &Provider, token: &str, expected: Expected<'_>) -> Result<Value, Bad> {
    let verifier = provider.id_tokens.ok_or(Bad::Unavailable)?;
    let read = |judged: Judged<'_>| match judged {
        Ok(good) => Ok((parsed(good.header)?, parsed(good.claims)?)),
        Err(Refusal::Unavailable) => Err(Bad::Unavailable),
        Err(refusal) => Err(Bad::Token(word(&refusal))),
    };
    let (header, claims) = verifier.verify(token, read).await.map_err(|_| Bad::Unavailable)??;
    check(&header, &claims, expected).map(|()| claims)
}

fn check(header: &Value, claims: &Value, expected: Expected<'_>) -> Result<(), Bad> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = text("sub").filter(|subject| !subject.is_empty()).ok_or(Bad::Token("sub_missing"))?;
    if expected.subject.is_some_and(|own| own != subject) {
        return Err(Bad::Token("sub_mismatch"));
    }
    if expected.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
        return Err(Bad::Token("nonce_mismatch"));
    }
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|audience| audience.len() > 1);
    match claims.get("azp") {
        None if !several => {}
        Some(party) if party.as_str() == Some(expected.client) => {}
        _ => return Err(Bad::Token("azp_mismatch")),
    }
    if let Some(since) = expected.since
        && claims.get("auth_time").and_then(Value::as_u64).is_none_or(|time| time < since)
    {
        return Err(Bad::Token("auth_time_too_old"));
    }
    match claims.get("at_hash") {
        None => Ok(()),
        Some(hash) if hash.as_str() == Some(&half_hash(header, expected.access_token)?) => Ok(()),
        Some(_) => Err(Bad::Token("at_hash_mismatch")),
    }
}

/// The left half of the hash of a text, by the hash function of the token's algorithm.
fn half_hash(header: &Value, text: &str) -> Result<String, Bad> {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let hash = match algorithm.get(2..) {
        Some("256") => Hash::Sha256,
        Some("384") => Hash::Sha384,
        _ => Hash::Sha512,
    };
    let digest = crypto::digest(hash, text.as_bytes()).map_err(|_| Bad::Unavailable)?;
    Ok(URL_SAFE_NO_PAD.encode(digest.get(..digest.len() / 2).unwrap_or_default()))
}

fn parsed(json: &str) -> Result<Value, Bad> {
    serde_json::from_str(json).map_err(|_| Bad::Token("not_json"))
}

/// What a token says without a look at who signed it: of one that the provider itself has handed over. Nothing where
/// it is no JWT.
pub(crate) fn said(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default()
}

/// A word for the log.
pub(crate) fn word(refusal: &Refusal<'_>) -> &'static str {
    match refusal {
        Refusal::Json => "not_a_token",
        Refusal::Type => "typ",
        Refusal::UnknownAlgorithm | Refusal::Algorithm => "algorithm",
        Refusal::Unsupported => "unsupported",
        Refusal::TooLong => "too_long",
        Refusal::NoKey | Refusal::Key => "unknown_key",
        Refusal::Signature => "signature",
        Refusal::Claims(problems) => match problems.first() {
            Some((_, Problem::Expired)) => "expired",
            Some((_, Problem::NotYet)) => "not_yet",
            Some(("iss", _)) => "issuer_mismatch",
            Some(("aud", _)) => "audience_mismatch",
            _ => "time_missing",
        },
        Refusal::Unavailable => "keys_unavailable",
        Refusal::NoClaim | Refusal::Claim | Refusal::NoCredential => "credential",
    }
}
