//! Who shares an instance with whom.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Which requests meet in one instance of a plugin, and so in what its guest keeps in memory.
///
/// It is about the guest's memory alone. What a plugin keeps through the host (shared data, queues, values, counters) is
/// the plugin's, whatever the isolation.
///
/// ```
/// use gateway_plugins::{Isolation, WasmPlugin};
///
/// let plugin = WasmPlugin::builder("of-a-tenant").isolation(Isolation::Route);
/// assert_eq!("request".parse(), Ok(Isolation::Request));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Isolation {
    /// All requests that one worker serves. The default: memory grows with neither routes nor requests.
    #[default]
    Shared,
    /// Those of one route that one worker serves. Of instances that nobody is in, the one that was used last longest ago
    /// makes room for another route's ([`Limits::instances`](crate::Limits::instances)).
    Route,
    /// Nobody: each request has an instance of its own, made for it and ended with it. It starts and takes its
    /// configuration within the request, in the time of a callback.
    Request,
}

impl Isolation {
    const ALL: [Self; 3] = [Self::Shared, Self::Route, Self::Request];

    /// Its word in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Route => "route",
            Self::Request => "request",
        }
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|isolation| isolation.name() == word);
        known.ok_or_else(|| "expected shared, route or request".to_owned())
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
