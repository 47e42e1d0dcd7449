//! The enumerations of the ABI. A number out of range is no value, and the call a bad argument.

use super::Status;

/// The ABI a module was built for, told by the marker it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V0_1_0,
    V0_2_0,
    V0_2_1,
}

impl Version {
    /// Every version, newest first: a module that claims several gets the newest.
    pub(crate) const ALL: [Self; 3] = [Self::V0_2_1, Self::V0_2_0, Self::V0_1_0];

    pub(crate) const fn number(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        }
    }

    pub(crate) const fn marker(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
        }
    }
}

/// Gives an enumeration its numbers, from 0 up.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant = $number),+ }

        impl TryFrom<u32> for $name {
            type Error = Status;

            fn try_from(number: u32) -> Result<Self, Status> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err(Status::BadArgument),
                }
            }
        }
    };
}

numbered! {
    /// `proxy_log_level_t`
    LogLevel { Trace = 0, Debug = 1, Info = 2, Warn = 3, Error = 4, Critical = 5 }
}

numbered! {
    /// `proxy_buffer_type_t`
    BufferKind {
        RequestBody = 0, ResponseBody = 1, DownstreamData = 2, UpstreamData = 3, CallResponseBody = 4,
        GrpcMessage = 5, VmConfiguration = 6, PluginConfiguration = 7, ForeignArguments = 8,
    }
}

numbered! {
    /// `proxy_map_type_t`
    MapKind {
        RequestHeaders = 0, RequestTrailers = 1, ResponseHeaders = 2, ResponseTrailers = 3,
        GrpcInitialMetadata = 4, GrpcTrailingMetadata = 5, CallResponseHeaders = 6, CallResponseTrailers = 7,
    }
}

numbered! {
    /// `proxy_metric_type_t`
    MetricKind { Counter = 0, Gauge = 1, Histogram = 2 }
}

numbered! {
    /// The HTTP half of `proxy_stream_type_t`: the way up, or the way down.
    Side { Request = 0, Response = 1 }
}

/// `proxy_action_t`. What is neither is taken as `Pause`, as in proxy-wasm-cpp-host: a filter that answers with
/// nonsense does not let a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Continue,
    Pause,
}

impl From<u32> for Action {
    fn from(number: u32) -> Self {
        if number == 0 { Self::Continue } else { Self::Pause }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, BufferKind, LogLevel, MapKind, Side, Status};

    #[test]
    fn numbers_out_of_range_are_no_values() {
        assert_eq!(MapKind::try_from(7), Ok(MapKind::CallResponseTrailers));
        assert_eq!(MapKind::try_from(8), Err(Status::BadArgument));
        assert_eq!(BufferKind::try_from(9), Err(Status::BadArgument));
        assert_eq!(LogLevel::try_from(u32::MAX), Err(Status::BadArgument));
        assert_eq!(Side::try_from(2), Err(Status::BadArgument));
        assert_eq!(Action::from(77), Action::Pause);
    }
}
