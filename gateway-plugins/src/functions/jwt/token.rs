//! A token as it is written (RFC 7515, section 7.1), before anybody knows whether it is good.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway_core::config::Credential;
use plugin_contract::{
    crypto::Scheme,
    jwt::{Algorithm, Refusal},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{Refused, claims::Times};

/// Bytes of a token.
pub(super) const MOST: usize = 8 << 10;

/// A token, taken apart.
pub(super) struct Token<'t> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) header_text: String,
    pub(super) claims_text: String,
    /// What is signed.
    pub(super) signed: &'t [u8],
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
}

/// A token that was verified.
pub(super) struct Good {
    pub(super) header: Box<str>,
    pub(super) claims: Box<str>,
    pub(super) times: Times,
    /// Whose it is, and by which state of the credential.
    pub(super) credential: Option<Arc<Credential>>,
    /// By which fetched keys.
    pub(super) generation: u64,
}

impl Good {
    pub(super) fn credential_id(&self) -> Option<[u8; 16]> {
        self.credential.as_ref().map(|credential| credential.id.into_bytes())
    }
}

impl<'t> Token<'t> {
    /// Takes a token apart. What it says of keys by itself (`jwk`, `jku`, `x5c`, `x5u`) is never looked at
    /// (CVE-2018-0114); what would change how it is read is refused.
    pub(super) fn parse(text: &'t str) -> Result<Self, Refused> {
        if text.len() > MOST {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Json)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Json)?;
        let (header_text, claims_text) = (plain(header)?, plain(claims)?);
        let (header, claims) = (object(&header_text)?, object(&claims_text)?);
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(algorithm);
        let algorithm = algorithm.ok_or(Refusal::UnknownAlgorithm)?;
        if ["crit", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
            return Err(Refusal::Unsupported);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Signature)?;
        Ok(Self { header, claims, header_text, claims_text, signed: signed.as_bytes(), signature, algorithm })
    }

    /// The key that its header names.
    pub(super) fn key_id(&self) -> Result<Option<&str>, Refused> {
        match self.header.get("kid") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) => Ok(Some(id)),
            Some(_) => Err(Refusal::NoKey),
        }
    }
}

/// The algorithm of this name (RFC 7518, section 3.1); `none` is none.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "HS256" => Algorithm::Hs256,
        "HS384" => Algorithm::Hs384,
        "HS512" => Algorithm::Hs512,
        "RS256" => Algorithm::Signed(Scheme::Rs256),
        "RS384" => Algorithm::Signed(Scheme::Rs384),
        "RS512" => Algorithm::Signed(Scheme::Rs512),
        "PS256" => Algorithm::Signed(Scheme::Ps256),
        "PS384" => Algorithm::Signed(Scheme::Ps384),
        "PS512" => Algorithm::Signed(Scheme::Ps512),
        "ES256" => Algorithm::Signed(Scheme::Es256),
        "ES384" => Algorithm::Signed(Scheme::Es384),
        "ES512" => Algorithm::Signed(Scheme::Es512),
        "EdDSA" => Algorithm::Signed(Scheme::EdDsa),
        _ => return None,
    })
}

/// Text in base64, without padding, white space or bits to spare.
fn plain(part: &str) -> Result<String, Refused> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Json)?;
    String::from_utf8(bytes).map_err(|_| Refusal::Json)
}

fn object(text: &str) -> Result<Map<String, Value>, Refused> {
    serde_json::from_str::<Object>(text).map(|object| object.0).map_err(|_| Refusal::Json)
}

/// An object in which no name stands twice: whoever reads it next might take the other one (RFC 7515, section 4).
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                }
                Ok(Object(object))
            }
        }

        deserializer.deserialize_map(Names)
    }
}
