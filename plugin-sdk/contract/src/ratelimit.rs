//! How often something may happen.
//!
//! ```
//! use plugin_contract::{encode, ratelimit::{Algorithm, Check, Decision, Key, Limiter, Period, State, Store, Window}};
//!
//! let windows = vec![Window { period: Period::Minute, limit: 3 }, Window { period: Period::Hour, limit: 100 }];
//! let limiter = Limiter { algorithm: Algorithm::Fixed, windows, store: Store::Local, name: "" };
//! assert_eq!(encode(&limiter, Vec::new()).unwrap(), [0, 2, 1, 3, 2, 100, 0, 0]);
//! let check = Check { limiter: 0, key: Key::Text("a"), cost: 1 };
//! assert_eq!(encode(&check, Vec::new()).unwrap(), [0, 0, 1, b'a', 1]);
//! let states = [(3, 2, 12), (100, 99, 1812)];
//! let windows = states.map(|(limit, remaining, reset)| State { limit, remaining, reset }).to_vec();
//! let bytes = encode(&Some(Decision { allowed: true, windows }), Vec::new()).unwrap();
//! assert_eq!(bytes, [1, 1, 2, 3, 2, 12, 100, 99, 0x94, 0x0e]);
//! ```

use serde::{Deserialize, Serialize};

use crate::Call;

/// Makes a limiter, to be kept and used for every request: its number is the answer. The same limiter made twice under
/// one configuration is one. A limiter lasts as long as the configuration that made it; what it has counted stays
/// when the configuration is edited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limiter<'a> {
    /// How it counts.
    pub algorithm: Algorithm,
    /// The windows, none of which may be exceeded: 1 to 8.
    pub windows: Vec<Window>,
    /// Where it counts.
    #[serde(borrow)]
    pub store: Store<'a>,
    /// Keeps limiters of one configuration apart that are alike.
    pub name: &'a str,
}

impl Call for Limiter<'_> {
    const NAME: &'static str = "gateway.ratelimit.limiter";
    type Answer<'a> = u32;
}

/// How a limiter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// In windows aligned to the clock (UTC), as Kong's rate-limiting. Months and years are those of the calendar.
    Fixed,
    /// In a window that ends now: the one before counts by the part of it that is still within.
    Sliding,
    /// At an even pace, with bursts up to the limit (the generic cell rate algorithm, ITU-T I.371).
    Pace,
}

/// A length of time and what may happen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// How long.
    pub period: Period,
    /// How much: at least 1.
    pub limit: u64,
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Period {
    /// One second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// A month of the calendar; 30 days where windows are not aligned.
    Month,
    /// A year of the calendar; 365 days where windows are not aligned.
    Year,
    /// That many seconds: at least 1.
    Seconds(u32),
}

/// Where a limiter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Store<'a> {
    /// In this process.
    Local,
    /// In a Redis that other nodes count in, too. Answers come later.
    Redis(#[serde(borrow)] Redis<'a>),
}

/// A Redis server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redis<'a> {
    /// Its name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Milliseconds for the connection and for each answer.
    pub timeout: u32,
    /// Who logs in.
    pub username: Option<&'a str>,
    /// With which password.
    pub password: Option<&'a str>,
    /// The number of the database.
    pub database: u32,
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// Whether its certificate is verified.
    pub verify: bool,
    /// The name its certificate must have, where that is not the host's.
    pub server_name: Option<&'a str>,
    /// None asks the server for each call (Kong's `sync_rate: -1`). A number of milliseconds has fixed windows counted
    /// in this process, and brought to the server, and back from it, that often: answers come at once, even while the
    /// server cannot be asked, and do not know yet what others let through since.
    pub sync: Option<u32>,
}

/// Asks whether something may happen, and counts it if so. What is refused in one window is counted in none.
///
/// A cost of 0 counts nothing, and asks whether a call of cost 1 would be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check<'a> {
    /// The number of the limiter.
    pub limiter: u32,
    /// Who is limited.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// How much of it: 0 only looks.
    pub cost: u32,
}

impl Call for Check<'_> {
    const NAME: &'static str = "gateway.ratelimit.check";
    type Answer<'a> = Option<Decision>;
}

/// Who is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key<'a> {
    /// Whom this text stands for.
    Text(&'a str),
    /// The request's consumer; where there is none, the client's address.
    Consumer,
    /// The credential that the consumer is known by; where there is none, the client's address.
    Credential,
    /// The address of the client: of the peer, or what a trusted peer says.
    Address,
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// Makes a report: the header fields that tell a client what a limiter says. Its number is the answer. The same report made
/// twice under one configuration is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report<'a> {
    /// Names and what they say: at most 64, with those of `refused`.
    #[serde(borrow)]
    pub fields: Vec<(&'a str, Says<'a>)>,
    /// The same, said of what is refused and of nothing else.
    pub refused: Vec<(&'a str, Says<'a>)>,
}

impl Call for Report<'_> {
    const NAME: &'static str = "gateway.ratelimit.report";
    type Answer<'a> = u32;
}

/// What a field of a report says. Of a window that a limiter does not have it says nothing, and is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says<'a> {
    /// Always this.
    Text(&'a str),
    /// [`State::limit`]
    Limit(Of),
    /// [`State::remaining`]
    Remaining(Of),
    /// [`State::reset`]
    Reset(Of),
}

/// Which window a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of {
    /// The one that has the least left; of several the last one.
    Tightest,
    /// The one at this place in the limiter's list, from 0.
    Window(u8),
}

impl Of {
    /// The window among those of a limiter.
    #[must_use]
    pub fn among(self, windows: &[State]) -> Option<&State> {
        match self {
            Self::Tightest => windows.iter().rev().min_by_key(|window| window.remaining),
            Self::Window(at) => windows.get(usize::from(at)),
        }
    }
}

/// As [`Check`], for who does not want to know more than whether it may happen; what the report says is written on the
/// answer that is yet to come, as [`response::Headers`](crate::response::Headers) does. Only of limiters that answer at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow<'a> {
    /// What is asked.
    #[serde(borrow)]
    pub check: Check<'a>,
    /// The number of the report.
    pub report: u32,
}

impl Call for Allow<'_> {
    const NAME: &'static str = "gateway.ratelimit.allow";
    type Answer<'a> = Option<bool>;
}

/// Writes what a report says of a decision that came later, as [`Allow`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tell {
    /// The number of the report.
    pub report: u32,
    /// What the limiter said.
    pub decision: Decision,
}

impl Call for Tell {
    const NAME: &'static str = "gateway.ratelimit.tell";
    type Answer<'a> = ();
}

/// What a limiter says; none where its store cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it may happen.
    pub allowed: bool,
    /// Each window, in the order of the limiter's.
    pub windows: Vec<State>,
}

/// What is left of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its limit.
    pub limit: u64,
    /// What is left, with this call counted.
    pub remaining: u64,
    /// Whole seconds, at least 1: until the window begins anew; where windows are not aligned, until as much as was
    /// asked for may happen again.
    pub reset: u32,
}

#[cfg(test)]
mod tests {
    use super::{Of, State};

    #[test]
    fn of_two_windows_with_as_little_left_the_last_one_is_the_tightest() {
        let state = |remaining, reset| State { limit: 9, remaining, reset };
        let of = |of: Of, windows: &[State]| of.among(windows).map(|state| state.reset);
        let windows = [state(3, 1), state(2, 60), state(5, 3600)];
        assert_eq!(of(Of::Tightest, &windows), Some(60));
        assert_eq!(of(Of::Tightest, &[state(2, 1), state(2, 60)]), Some(60));
        assert_eq!(of(Of::Tightest, &[]), None);
        assert_eq!((of(Of::Window(2), &windows), of(Of::Window(3), &windows)), (Some(3600), None));
    }
}
