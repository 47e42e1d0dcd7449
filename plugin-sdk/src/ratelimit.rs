//! How often something may happen.

use plugin_contract::ratelimit::{self as contract, Check};

use crate::{Error, call};

use crate::Text;

pub use contract::{Algorithm, Decision, Key, Period, Redis, State, Store, Window};

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
}
