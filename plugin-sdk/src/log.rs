//! Lines in the gateway's log, and the phase after the answer.

use std::{any::Any, panic, sync::Once};

pub use crate::host::Level;

use crate::{
    Text,
    host::{self, Map},
    scene,
};

/// A request that is over, as it went by.
#[derive(Debug)]
pub struct Log {
    context: u32,
}

impl Log {
    pub(crate) const fn new(context: u32) -> Self {
        Self { context }
    }

    /// A field of the request.
    #[must_use]
    pub fn request_header(&self, name: &str) -> Option<Text> {
        host::header(Map::Request, name)
    }

    /// A field of the answer.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<Text> {
        host::header(Map::Response, name)
    }

    /// The status that the client got.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.number(&["response", "code"]).and_then(|code| u16::try_from(code).ok()).unwrap_or_default()
    }

    /// A property, by Envoy's paths: `["response", "code_details"]`.
    #[must_use]
    pub fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        host::property(path, <[u8]>::to_vec)
    }

    /// A property that is a number.
    #[must_use]
    pub fn number(&self, path: &[&str]) -> Option<u64> {
        host::property(path, |bytes| bytes.first_chunk().copied().map(u64::from_le_bytes)).flatten()
    }

    /// Takes what this plugin has kept for this request.
    #[must_use]
    pub fn kept<T: Any>(&self) -> Option<T> {
        scene::kept(self.context)
    }
}

/// Writes a line into the gateway's log.
pub fn line(level: Level, text: &str) {
    host::log(level, text);
}

/// From now on a panic says what it is and where in the gateway's log, before it ends the instance.
#[doc(hidden)]
pub fn panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|panic| line(Level::Error, &panic.to_string()))));
}

/// Writes a line for whoever looks for a fault in the plugin.
#[macro_export]
macro_rules! debug {
    ($($arguments:tt)+) => { $crate::log::line($crate::log::Level::Debug, &::std::format!($($arguments)+)) };
}

/// Writes a line.
#[macro_export]
macro_rules! info {
    ($($arguments:tt)+) => { $crate::log::line($crate::log::Level::Info, &::std::format!($($arguments)+)) };
}

/// Writes a line that somebody should look at some day.
#[macro_export]
macro_rules! warn {
    ($($arguments:tt)+) => { $crate::log::line($crate::log::Level::Warn, &::std::format!($($arguments)+)) };
}

/// Writes a line about something that failed.
#[macro_export]
macro_rules! error {
    ($($arguments:tt)+) => { $crate::log::line($crate::log::Level::Error, &::std::format!($($arguments)+)) };
}
