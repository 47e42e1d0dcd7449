//! JWK sets (RFC 7517) as keys.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plugin_contract::{crypto::Scheme, jwt::Algorithm};
use serde::Deserialize;

use super::{
    keys::{Set, Uses},
    token::algorithm,
};

/// Whom a set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The operator: secrets may be in it.
    Operator,
    /// An address: what is there is public.
    Address,
}

/// Keys of one set.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

/// A key, as far as it matters here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

/// The keys of a set that are for algorithms among `allowed`. Others are passed over, as RFC 7517, section 5 wants;
/// nothing where it is no set, or too large.
pub(super) fn set(json: &[u8], allowed: &[Algorithm], from: From) -> Option<Set> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let keys: Keys = serde_json::from_slice(json).ok()?;
    if keys.keys.len() > MOST {
        return None;
    }
    let keys = keys.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let keys = keys.filter_map(|key| Some((key.kid.clone(), key.uses(allowed, from)?)));
    Some(Set { generation: NEXT.fetch_add(1, Relaxed), keys: keys.collect() })
}

impl Jwk {
    fn uses(&self, allowed: &[Algorithm], from: From) -> Option<Uses> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let own = match self.alg.as_deref() {
            // A key that says what it is for is for nothing else.
            Some(name) => Some(algorithm(name)?),
            None => None,
        };
        let fits = |algorithm: &Algorithm| self.is_for(*algorithm) && own.is_none_or(|own| own == *algorithm);
        let allowed: Vec<_> = allowed.iter().copied().filter(fits).collect();
        let uses = match self.kty.as_str() {
            "RSA" => Uses::public(&rsa(&octets(&self.n)?, &octets(&self.e)?), &allowed),
            "EC" => Uses::public(&point(&octets(&self.x)?, &octets(&self.y)?), &allowed),
            "OKP" => Uses::public(&octets(&self.x)?, &allowed),
            "oct" if from == From::Operator => Uses::shared(&octets(&self.k)?, &allowed),
            _ => return None,
        };
        (!uses.is_empty()).then_some(uses)
    }

    /// Whether a key of this type can be for an algorithm.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        use Scheme::{EdDsa, Es256, Es384, Es512};
        let Algorithm::Signed(scheme) = algorithm else { return self.kty == "oct" };
        match (scheme, self.crv.as_deref()) {
            (Es256, Some("P-256")) | (Es384, Some("P-384")) | (Es512, Some("P-521")) => self.kty == "EC",
            (EdDsa, Some("Ed25519")) => self.kty == "OKP",
            (Es256 | Es384 | Es512 | EdDsa, _) => false,
            _ => self.kty == "RSA",
        }
    }
}

fn octets(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()
}

/// An uncompressed point (SEC 1, section 2.3.3).
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

/// `RSAPublicKey` of RFC 8017, section A.1.1, as DER.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    element(0x30, &[integer(modulus), integer(exponent)].concat())
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    // It is not negative.
    let lead: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(0x02, &[lead, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let digits = length.get(start..).unwrap_or_default();
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        // Eight digits at most.
        element.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
    }
    element.extend_from_slice(digits);
    element.extend_from_slice(content);
    element
}
