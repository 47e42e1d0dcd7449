//! The border to the host: calls of Proxy-Wasm 0.2.1 in Rust's types. In WebAssembly they are imports; in native tests
//! a host of the testing kit stands in.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(any(target_arch = "wasm32", test))]
mod pairs;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Host, enter};
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

pub use kinds::{Buffer, Level, Map, Metric, Side, Status};

/// Whether there are not two fields of this name.
fn is_alone(fields: &[(String, String)], name: &str) -> bool {
    fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).nth(1).is_none()
}

mod kinds {
    /// A map of fields (`proxy_map_type_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Map {
        /// The request's header fields.
        Request = 0,
        /// The answer's.
        Response = 2,
        /// Those of a callout's answer.
        Called = 6,
    }

    /// A run of bytes (`proxy_buffer_type_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Buffer {
        /// The request's body.
        RequestBody = 0,
        /// The answer's.
        ResponseBody = 1,
        /// That of a callout's answer.
        CalledBody = 4,
        /// The plugin's configuration.
        Configuration = 7,
        /// What a foreign function answered late.
        Arguments = 8,
    }

    /// The way up, or the way down (`proxy_stream_type_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Side {
        /// The way up.
        Request = 0,
        /// The way down.
        Response = 1,
    }

    /// How grave a line is (`proxy_log_level_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Level {
        /// For whoever looks for a fault in the plugin.
        Debug = 1,
        /// Worth a line.
        Info = 2,
        /// Somebody should look at it some day.
        Warn = 3,
        /// Something failed.
        Error = 4,
    }

    /// A kind of metric (`proxy_metric_type_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Metric {
        /// It only grows.
        Counter = 0,
        /// It goes up and down.
        Gauge = 1,
        /// Values by how large they are.
        Histogram = 2,
    }

    /// How a call failed (`proxy_status_t`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Status(pub u32);

    impl Status {
        /// There is no such thing.
        pub const NOT_FOUND: Self = Self(1);
        /// An argument is wrong, or something is not allowed.
        pub const BAD_ARGUMENT: Self = Self(2);
    }
}
