//! How often something may happen.

use plugin_contract::ratelimit::{self as contract, Allow, Check, Tell};

use crate::{Error, Text, call};

pub use contract::{Algorithm, Decision, Key, Of, Period, Redis, Says, State, Store, Window};

impl<'a> From<&'a Text> for Key<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text)
    }
}

/// A limiter. Make it once, in `configure`.
///
/// ```no_run
/// # use plugin_sdk::prelude::*;
/// use plugin_sdk::ratelimit::{Algorithm, Limiter, Period, Store, Window};
///
/// # async fn doc() -> Result<(), Error> {
/// let windows = vec![Window { period: Period::Minute, limit: 100 }];
/// let limiter = Limiter::new("requests", Algorithm::Fixed, windows, Store::Local)?;
/// let allowed = limiter.check("10.0.0.1", 1).await?.is_none_or(|decision| decision.allowed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter(u32);

impl Limiter {
    /// A limiter of this name with these windows, none of which may be exceeded.
    ///
    /// # Errors
    /// Windows that make no sense, and hosts without limiters.
    pub fn new(
        name: &str,
        algorithm: Algorithm,
        windows: Vec<Window>,
        store: Store<'_>,
    ) -> Result<Self, Error> {
        let limiter = contract::Limiter { algorithm, windows, store, name };
        call::now(&limiter, |number| number).map(Self)
    }

    /// Asks whether `key`, a text or somebody the gateway knows, may do something that counts for `cost`, and counts it
    /// if so. None where the store cannot
    /// be asked: whether that lets a request through is up to you.
    ///
    /// # Errors
    /// A limiter of another host.
    pub async fn check(&self, key: impl Into<Key<'_>>, cost: u32) -> Result<Option<Decision>, Error> {
        call::later(&Check { limiter: self.0, key: key.into(), cost }, |decision| decision).await
    }

    /// The same for a limiter that counts locally, in a phase that does not wait.
    ///
    /// # Errors
    /// As for [`check`](Self::check), and [`Error::Late`] where it does not count locally.
    pub fn check_now<'k>(&self, key: impl Into<Key<'k>>, cost: u32) -> Result<Option<Decision>, Error> {
        call::now(&Check { limiter: self.0, key: key.into(), cost }, |decision| decision)
    }

    /// The same for who does not want to know more: the answer that is yet to come carries what the report says.
    ///
    /// # Errors
    /// As for [`check`](Self::check), and [`Error::Refused`] where it does not count locally.
    pub fn allow<'k>(
        &self,
        key: impl Into<Key<'k>>,
        cost: u32,
        report: Report,
    ) -> Result<Option<bool>, Error> {
        let check = Check { limiter: self.0, key: key.into(), cost };
        call::now(&Allow { check, report: report.0 }, |allowed| allowed)
    }
}

/// The header fields that tell clients what a limiter says. Make it once, in `configure`.
///
/// ```no_run
/// # use plugin_sdk::{prelude::*, ratelimit::{Limiter, Of, Report, Says}};
/// # fn doc(limiter: Limiter) -> Result<(), Error> {
/// let left = ("ratelimit-remaining", Says::Remaining(Of::Tightest));
/// let report = Report::new(&[left], &[("retry-after", Says::Reset(Of::Tightest))])?;
/// let allowed = limiter.allow("10.0.0.1", 1, report)?.unwrap_or(true);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report(u32);

impl Report {
    /// A report of these fields, and of others where something is refused. At most 64; it may have none.
    ///
    /// # Errors
    /// What is no field, or frames the message, and hosts without limiters.
    pub fn new(fields: &[(&str, Says<'_>)], refused: &[(&str, Says<'_>)]) -> Result<Self, Error> {
        let report = contract::Report { fields: fields.to_vec(), refused: refused.to_vec() };
        call::now(&report, |number| number).map(Self)
    }

    /// Writes what it says of a decision on the answer that is yet to come, whoever makes it.
    pub fn tell(self, decision: Decision) {
        // It was made by this host; what cannot be written is left out.
        let _ = call::now(&Tell { report: self.0, decision }, |()| ());
    }
}
