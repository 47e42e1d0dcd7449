//! The status of a call.

use gateway_core::BoxError;
use http::{HeaderMap, StatusCode};

pub(super) const UNKNOWN: u32 = 2;
pub(super) const DEADLINE_EXCEEDED: u32 = 4;
pub(super) const RESOURCE_EXHAUSTED: u32 = 8;
pub(super) const UNIMPLEMENTED: u32 = 12;
pub(super) const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// How a call has ended: its status, and the words that come with it.
pub(super) type Ended = (u32, String);

/// What the fields at the end of a call say of it.
pub(super) fn told(fields: &HeaderMap) -> Option<Ended> {
    let code = fields.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok());
    let message = fields.get("grpc-message").map(|message| decoded(message.as_bytes())).unwrap_or_default();
    Some((code.unwrap_or(UNKNOWN), message))
}

/// What an answer means that is none of gRPC (the specification's table from HTTP to gRPC).
pub(super) fn of_http(status: StatusCode) -> Ended {
    let code = match status.as_u16() {
        400 => INTERNAL,
        401 => 16,
        403 => 7,
        404 => UNIMPLEMENTED,
        429 | 502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    };
    (code, format!("the upstream answered with status {}", status.as_u16()))
}

/// What a failure of the gateway's means.
pub(super) fn of_error(error: &BoxError) -> Ended {
    let reason = error.downcast_ref::<gateway_core::Error>().map(gateway_core::Error::reason);
    let late = reason.is_some_and(|reason| reason.status() == StatusCode::GATEWAY_TIMEOUT);
    (if late { DEADLINE_EXCEEDED } else { UNAVAILABLE }, error.to_string())
}

/// A message out of its escapes. What is no escape stays as it is.
fn decoded(message: &[u8]) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(message.len()), message);
    while let [byte, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::{decoded, of_http, told};

    #[test]
    fn a_message_comes_out_of_its_escapes() {
        for (message, text) in
            [("gr%C3%B6%C3%9fer", "größer"), ("100%25", "100%"), ("%", "%"), ("%2", "%2"), ("%zz", "%zz")]
        {
            assert_eq!(decoded(message.as_bytes()), text);
        }
    }

    #[test]
    fn a_status_is_told_or_follows_from_http() {
        let mut fields = HeaderMap::new();
        assert_eq!(told(&fields), None);
        fields.insert("grpc-status", "5".parse().unwrap());
        assert_eq!(told(&fields), Some((5, String::new())));
        fields.insert("grpc-status", "five".parse().unwrap());
        assert_eq!(told(&fields), Some((2, String::new())));
        assert_eq!(
            [401, 404, 503, 418].map(|status| of_http(StatusCode::from_u16(status).unwrap()).0),
            [16, 12, 14, 2]
        );
    }
}
