//! What becomes of a request whose plugin failed.

use http::StatusCode;
use serde_json::Value;

/// What becomes of a request whose plugin trapped, ran out of time or is in quarantine.
///
/// ```
/// use gateway_plugins::OnError;
///
/// assert_eq!("allow".parse(), Ok(OnError::Allow));
/// assert_eq!("503".parse(), Ok(OnError::Status(http::StatusCode::SERVICE_UNAVAILABLE)));
/// assert!("200".parse::<OnError>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// It is answered 500. The default: a plugin that guards must not be passed by breaking it.
    #[default]
    Deny,
    /// It goes on without the plugin.
    Allow,
    /// It is answered with this status, 400 to 599.
    Status(StatusCode),
}

impl OnError {
    /// The status of the refusal, unless the request goes on.
    #[must_use]
    pub const fn status(self) -> Option<StatusCode> {
        match self {
            Self::Allow => None,
            Self::Deny => Some(StatusCode::INTERNAL_SERVER_ERROR),
            Self::Status(status) => Some(status),
        }
    }

    /// Reads the value of a configuration field: a word, or a number.
    pub(crate) fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(word) => word.parse(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(EXPECTED.into()),
        }
    }
}

const EXPECTED: &str = "expected deny, allow or a status from 400 to 599";

impl std::str::FromStr for OnError {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "deny" => Ok(Self::Deny),
            "allow" => Ok(Self::Allow),
            _ => StatusCode::from_bytes(word.as_bytes())
                .ok()
                .filter(|status| status.is_client_error() || status.is_server_error())
                .map(Self::Status)
                .ok_or_else(|| EXPECTED.into()),
        }
    }
}
