//! JSON Web Tokens (RFC 7519), verified by the gateway.
//!
//! ```no_run
//! use plugin_sdk::jwt::{Algorithm, Demand, Keys, Spec, Verifier};
//!
//! # fn doc(token: &str) -> Result<bool, plugin_sdk::Error> {
//! // Once, in `configure`.
//! let verifier = Verifier::new(&Spec {
//!     algorithms: vec![Algorithm::Hs256],
//!     keys: Keys::Credentials { claim: "iss", base64: false },
//!     expires: Demand::Required,
//!     begins: Demand::IfThere,
//!     leeway: 0,
//!     longest: 0,
//!     issuers: Vec::new(),
//!     audiences: Vec::new(),
//!     types: Vec::new(),
//! })?;
//! verifier.verify_now(token, |judged| judged.is_ok())
//! # }
//! ```

use plugin_contract::jwt::Verify;

use crate::{Error, call};

pub use plugin_contract::{
    crypto::Scheme,
    jwt::{Algorithm, Demand, Keys, Problem, Refusal, Verified, Verifier as Spec},
};

/// What becomes of a token: what it says, or why it is not good.
pub type Judged<'a> = Result<Verified<'a>, Refusal<'a>>;

/// What tokens are verified by. It is made once, in `configure`, and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verifier(u32);

impl Verifier {
    /// A verifier that judges so.
    ///
    /// # Errors
    /// What makes no sense or is not granted; hosts that know no tokens.
    pub fn new(spec: &Spec<'_>) -> Result<Self, Error> {
        call::now(spec, Self)
    }

    /// Judges a token whose keys are at hand: all but those of an address.
    ///
    /// # Errors
    /// [`Error::Late`] where keys must be fetched.
    pub fn verify_now<R>(self, token: &str, read: impl FnOnce(Judged<'_>) -> R) -> Result<R, Error> {
        call::now(&Verify { verifier: self.0, token }, read)
    }

    /// Judges a token, and waits for its keys where they must be fetched.
    ///
    /// # Errors
    /// A host that knows no tokens.
    pub async fn verify<R>(self, token: &str, read: impl FnOnce(Judged<'_>) -> R) -> Result<R, Error> {
        call::later(&Verify { verifier: self.0, token }, read).await
    }
}
