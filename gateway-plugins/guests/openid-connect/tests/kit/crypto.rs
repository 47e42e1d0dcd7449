//! Cryptography for tests that run natively: honest, if not the gateway's.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac as _};
use p256::ecdsa::{Signature, signature::Verifier as _};
use plugin_sdk::{
    contract::{
        crypto::{Digest, Equal, Key, Mac, Open, Random, Seal},
        jwt::{Demand, Problem, Refusal, Verified, Verifier, Verify},
    },
    serde_json::{self, Value},
    testing::Gateway,
};
use sha2::{Digest as _, Sha256};

use super::provider::Provider;

fn leak<T: ?Sized>(value: impl Into<Box<T>>) -> &'static T {
    Box::leak(value.into())
}

fn code(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn bytes(key: Key<'static>) -> &'static [u8] {
    match key {
        Key::Bytes(bytes) => bytes,
        Key::Secret(reference) => reference.as_bytes(),
        Key::Credential { .. } => unreachable!("no credential has a key here"),
    }
}

/// Encrypts by a stream that the key, the purpose and the nonce make.
fn crypt(key: &[u8], purpose: &str, nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let block = |at: usize| code(key, &[b"stream", purpose.as_bytes(), nonce, &at.to_be_bytes()]);
    let stream = (0..).flat_map(block);
    text.iter().zip(stream).map(|(byte, with)| byte ^ with).collect()
}

fn tag(key: &[u8], purpose: &str, nonce: &[u8], text: &[u8], beside: &[u8]) -> Vec<u8> {
    let length = beside.len().to_be_bytes();
    code(key, &[b"tag", purpose.as_bytes(), nonce, &length, beside, text])[..16].to_vec()
}

/// `gateway` with the functions that the kit leaves to tests.
pub fn scripted(gateway: Gateway, provider: &Rc<Provider>) -> Gateway {
    let counter = Rc::new(Cell::new(0_u64));
    let random = move || {
        counter.set(counter.get() + 1);
        code(b"random", &[&counter.get().to_be_bytes()])
    };
    let nonce = random.clone();
    let gateway = gateway
        .function(|call: Digest<'static>| leak::<[u8]>(Sha256::digest(call.data).to_vec()))
        .function(|call: Mac<'static>| Some(leak::<[u8]>(code(bytes(call.key), &[call.data]))))
        .function(|call: Equal<'static>| call.a == call.b)
        .function(move |call: Random| leak::<[u8]>(&random()[..call.length as usize]))
        .function(move |call: Seal<'static>| {
            let (key, nonce) = (bytes(call.key), &nonce()[..12]);
            let text = crypt(key, call.purpose, nonce, call.plain);
            let tag = tag(key, call.purpose, nonce, &text, call.beside);
            Some(leak::<[u8]>([nonce, &text, &tag].concat()))
        })
        .function(|call: Open<'static>| {
            let key = bytes(call.key);
            let (nonce, rest) = call.sealed.split_at_checked(12)?;
            let (text, own) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
            let good = own == tag(key, call.purpose, nonce, text, call.beside);
            good.then(|| leak::<[u8]>(crypt(key, call.purpose, nonce, text)))
        });
    let specs: Rc<RefCell<Vec<Verifier<'static>>>> = Rc::default();
    let (known, provider) = (Rc::clone(&specs), Rc::clone(provider));
    gateway
        .function(move |spec: Verifier<'static>| {
            let mut known = known.borrow_mut();
            known.push(spec);
            known.len() as u32 - 1
        })
        .function(move |call: Verify<'static>| {
            let specs = specs.borrow();
            judge(&specs[call.verifier as usize], call.token, &provider).map(|(header, claims)| Verified {
                header: leak::<str>(header),
                claims: leak::<str>(claims),
                credential: None,
            })
        })
}

/// Judges a token as the gateway does, as far as these tests need it: by ES256 and the keys at an address.
fn judge(
    spec: &Verifier<'static>,
    token: &str,
    provider: &Provider,
) -> Result<(String, String), Refusal<'static>> {
    if token.len() > 8192 {
        return Err(Refusal::TooLong);
    }
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(Refusal::Json) };
    let text = |part| URL_SAFE_NO_PAD.decode(part).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (header_text, claims_text) = (text(header).ok_or(Refusal::Json)?, text(claims).ok_or(Refusal::Json)?);
    let object =
        |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object).ok_or(Refusal::Json);
    let (head, said) = (object(&header_text)?, object(&claims_text)?);
    match head["alg"].as_str() {
        Some("ES256") => {}
        Some("HS256" | "RS256") => return Err(Refusal::Algorithm),
        _ => return Err(Refusal::UnknownAlgorithm),
    }
    if ["crit", "b64", "zip", "enc"].iter().any(|name| head.get(name).is_some()) {
        return Err(Refusal::Unsupported);
    }
    let typ = head.get("typ").and_then(Value::as_str).unwrap_or("");
    let types: &[&str] = if spec.types.is_empty() { &["", "JWT"] } else { &spec.types };
    if !types.iter().any(|own| own.eq_ignore_ascii_case(typ)) {
        return Err(Refusal::Type);
    }
    let keys = provider.keys().ok_or(Refusal::Unavailable)?;
    let key = keys.iter().find(|(id, _)| Some(id.as_str()) == head["kid"].as_str()).ok_or(Refusal::NoKey)?;
    let signature =
        URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signed = format!("{header}.{claims}");
    key.1.verify(signed.as_bytes(), &signature.ok_or(Refusal::Signature)?).map_err(|_| Refusal::Signature)?;
    let problem = |name, problem| Err(Refusal::Claims(vec![(name, problem)]));
    if !spec.issuers.iter().any(|own| said["iss"] == **own) {
        return problem("iss", Problem::Other);
    }
    let is_own = |value: &Value| spec.audiences.iter().any(|own| *value == **own);
    let audience = match &said["aud"] {
        Value::Array(values) => values.iter().any(is_own),
        value => is_own(value),
    };
    if !spec.audiences.is_empty() && !audience {
        return problem("aud", Problem::Other);
    }
    let now = provider.clock.get() as f64;
    match said.get("exp").map(Value::as_f64) {
        None if spec.expires == Demand::IfThere => {}
        Some(Some(end)) if now < end => {}
        Some(Some(_)) => return problem("exp", Problem::Expired),
        _ => return problem("exp", Problem::NotANumber),
    }
    match said.get("nbf").map(Value::as_f64) {
        None => {}
        Some(Some(begin)) if now >= begin => {}
        _ => return problem("nbf", Problem::NotYet),
    }
    Ok((header_text, claims_text))
}
