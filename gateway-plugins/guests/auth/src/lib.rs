//! What the plugins that find out who calls have in common: who stands in where nobody is found, and what is said then.

use std::borrow::Cow;

use plugin_sdk::{consumer::Caller, prelude::*};

/// What is said where the gateway itself is at fault.
const UNEXPECTED: &str = "An unexpected error occurred";

/// What becomes of requests that do not show who calls.
///
/// With `anonymous`, several plugins are alternatives: one that follows another that has found out has nothing to do,
/// and where none finds out the anonymous consumer stands in. Without it, each of them must find out.
#[derive(Clone, Debug, Default)]
pub struct Otherwise(Option<String>);

impl Otherwise {
    /// With the value of the field `anonymous`: the id or the username of a consumer.
    #[must_use]
    pub const fn new(anonymous: Option<String>) -> Self {
        Self(anonymous)
    }

    /// What becomes of a request: `find_out` is not asked where it does not matter.
    #[inline]
    pub fn settle(&self, find_out: impl FnOnce() -> Result<(), Reply>) -> Flow {
        match self.open() {
            Ok(true) => self.judge(find_out()),
            Ok(false) => Flow::Continue,
            Err(reply) => reply.into(),
        }
    }

    /// The same for a plugin that has to wait.
    pub async fn settle_later(&self, find_out: impl Future<Output = Result<(), Reply>>) -> Flow {
        match self.open() {
            Ok(true) => self.judge(find_out.await),
            Ok(false) => Flow::Continue,
            Err(reply) => reply.into(),
        }
    }

    /// Whether it matters who calls.
    ///
    /// # Errors
    /// A gateway that cannot say.
    #[inline]
    pub fn open(&self) -> Result<bool, Reply> {
        if self.0.is_none() {
            return Ok(true);
        }
        Ok(consumer::caller().map_err(unexpected)? != Caller::Known)
    }

    /// What becomes of a request for which that was found.
    #[inline]
    pub fn judge(&self, found: Result<(), Reply>) -> Flow {
        let (refusal, anonymous) = match (found, &self.0) {
            (Ok(()), _) => return Flow::Continue,
            (Err(refusal), None) => return refusal.into(),
            (Err(refusal), Some(anonymous)) => (refusal, anonymous),
        };
        if refusal.status() >= 500 {
            return refusal.into();
        }
        match consumer::stand_in(anonymous) {
            Ok(true) => Flow::Continue,
            Ok(false) => {
                let message = format!("anonymous consumer {anonymous} is configured but doesn't exist");
                error!("{message}");
                Reply::refuse(500, message).into()
            }
            Err(error) => unexpected(error).into(),
        }
    }
}

/// The gateway could not answer a question.
pub fn unexpected(error: Error) -> Reply {
    error!("{error}");
    Reply::refuse(500, UNEXPECTED)
}

/// What a client is asked for, `Key` or `Key realm="..."` (RFC 9110 section 11.6.1).
#[derive(Clone, Debug)]
pub struct Challenge(Cow<'static, str>);

impl Challenge {
    /// Of a scheme, with the value of the field `realm`.
    ///
    /// # Errors
    /// A realm that no header field can carry.
    pub fn new(scheme: &'static str, realm: Option<&str>) -> Result<Self, String> {
        let Some(realm) = realm else { return Ok(Self(Cow::Borrowed(scheme))) };
        if realm.chars().any(char::is_control) {
            return Err("realm: control characters cannot stand in a header field".to_owned());
        }
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        Ok(Self(Cow::Owned(format!("{scheme} realm=\"{quoted}\""))))
    }

    /// The value of `WWW-Authenticate`.
    #[must_use]
    pub fn value(&self) -> Cow<'static, str> {
        self.0.clone()
    }

    /// A 401 in the gateway's own form that asks for it.
    pub fn unauthorized(&self, message: &'static str) -> Reply {
        Reply::refuse(401, message).header("www-authenticate", self.value())
    }
}

/// Whether a request only asks what a later one may do (Fetch standard 4.8), and is let through for it.
#[must_use]
#[inline]
pub fn passes_preflight(run_on_preflight: bool, request: &Request) -> bool {
    !run_on_preflight && request.method() == "OPTIONS"
}
