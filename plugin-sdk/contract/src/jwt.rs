//! JSON Web Tokens (RFC 7519), verified by the gateway (RFC 8725).

use serde::{Deserialize, Serialize};

use crate::{
    Call, Id,
    crypto::{Key, Scheme},
};

/// Makes a verifier, to be kept and used for every request: its number is the answer. The same verifier made twice
/// under one configuration is one; there may be 64. It lasts as long as the configuration that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier<'a> {
    /// What tokens may be signed by: at least one.
    pub algorithms: Vec<Algorithm>,
    /// The keys.
    #[serde(borrow)]
    pub keys: Keys<'a>,
    /// What becomes of `exp`.
    pub expires: Demand,
    /// What becomes of `nbf`.
    pub begins: Demand,
    /// Seconds by which clocks may differ: 60 at most.
    pub leeway: u32,
    /// Seconds from now that `exp` may be away; 0: any.
    pub longest: u64,
    /// The values of `iss` that are taken; none: any.
    pub issuers: Vec<&'a str>,
    /// The values of `aud`, one of which a token must have; none: any.
    pub audiences: Vec<&'a str>,
    /// The values of the header's `typ` that are taken, whatever their case, an empty one for no `typ`; none: `JWT`
    /// or no `typ`.
    pub types: Vec<&'a str>,
}

impl Call for Verifier<'_> {
    const NAME: &'static str = "gateway.jwt.verifier";
    type Answer<'a> = u32;
}

/// How a token is signed: never as the token says alone, but as its key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// A signature.
    Signed(Scheme),
}

/// Whose tokens are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys<'a> {
    /// One public key, as PEM.
    Pem(&'a str),
    /// One secret that both sides know, for HMAC.
    Shared(#[serde(borrow)] Key<'a>),
    /// A JWK set (RFC 7517), as JSON.
    Set(&'a str),
    /// The JWK set at an address. It is fetched when it is first needed, and again when it is old or a token names
    /// a key that is not in it, but not more often than every 30 seconds (5 after a failure); where that fails, the last one counts for a
    /// day.
    Address {
        /// The upstream that it is fetched through, which the operator must grant.
        upstream: &'a str,
        /// The address: `https://issuer.example/keys`.
        url: &'a str,
        /// Seconds for which it is fresh: 30 at least.
        fresh: u32,
    },
    /// The credentials of kind [`Kind::Jwt`](crate::consumer::Kind::Jwt): the one whose `key` is the value of a claim,
    /// with its `algorithm` and its `secret` or `rsa_public_key`.
    Credentials {
        /// The claim; where it is not there, a field of the header.
        claim: &'a str,
        /// Whether secrets are written in base64.
        base64: bool,
    },
}

/// What becomes of a claim that says a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Demand {
    /// Nothing.
    Ignored,
    /// It counts where it is there.
    IfThere,
    /// It must be there.
    Required,
}

/// Verifies a token. The answer comes later where keys must be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify<'a> {
    /// The number of the verifier.
    pub verifier: u32,
    /// The token, in the compact form: 8 KiB at most.
    pub token: &'a str,
}

impl Call for Verify<'_> {
    const NAME: &'static str = "gateway.jwt.verify";
    type Answer<'a> = Result<Verified<'a>, Refusal<'a>>;
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified<'a> {
    /// Its header, JSON text.
    pub header: &'a str,
    /// Its claims, JSON text.
    pub claims: &'a str,
    /// The credential whose token it is.
    pub credential: Option<Id>,
}

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal<'a> {
    /// Header or claims are no JSON objects in base64, have a name twice, or there are no three parts.
    Json,
    /// `typ` is another one.
    Type,
    /// `alg` is not there, or none that there is; `none` is none.
    UnknownAlgorithm,
    /// It asks for what is not understood: `crit`, `b64`, `zip`, `enc`.
    Unsupported,
    /// It is longer than 8 KiB.
    TooLong,
    /// `alg` is not what the verifier or the key is for.
    Algorithm,
    /// The claim that names a credential is not there.
    NoClaim,
    /// The claim that names a credential is no text, or empty.
    Claim,
    /// There is no such credential.
    NoCredential,
    /// `kid` names no key there is, or none is named and there are several.
    NoKey,
    /// The key is none for the algorithm.
    Key,
    /// Somebody else has signed it.
    Signature,
    /// Claims say that it is not good here and now.
    Claims(#[serde(borrow)] Vec<(&'a str, Problem)>),
    /// The keys cannot be fetched.
    Unavailable,
}

/// What a claim says wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// `exp` is over.
    Expired,
    /// `nbf` is not yet.
    NotYet,
    /// It is no number of seconds, or not there.
    NotANumber,
    /// `exp` is too far away.
    TooLong,
    /// `iss` or `aud` is another one, or not there.
    Other,
}
