//! How long a client waits, and what of it is left for a try: as a header field says it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A field in which a client says how long it waits for its answer, and an upstream is told what of that is left.
/// `grpc-timeout` has gRPC's form, such as `250m`; any other a whole number of milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlineHeader(HeaderName);

/// The most digits of a `grpc-timeout`.
const DIGITS: usize = 8;

impl DeadlineHeader {
    /// That with this name.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self(name)
    }

    /// How long the client waits; none where it does not say, or not in that form.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gateway_core::retry::DeadlineHeader;
    /// use http::{HeaderMap, HeaderName};
    ///
    /// let grpc = DeadlineHeader::new(HeaderName::from_static("grpc-timeout"));
    /// let mut headers = HeaderMap::new();
    /// headers.insert("grpc-timeout", "2S".parse().unwrap());
    /// assert_eq!(grpc.read(&headers), Some(Duration::from_secs(2)));
    /// grpc.write(&mut headers, Duration::from_millis(1_250));
    /// assert_eq!(headers["grpc-timeout"], "1250m");
    /// ```
    #[must_use]
    pub fn read(&self, headers: &HeaderMap) -> Option<Duration> {
        let value = headers.get(&self.0)?.to_str().ok()?;
        if self.is_grpc() { of_grpc(value) } else { number(value).map(Duration::from_millis) }
    }

    /// Says that so much is left, to the millisecond and one at least.
    pub fn write(&self, headers: &mut HeaderMap, left: Duration) {
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let value = if self.is_grpc() { to_grpc(millis) } else { Some(HeaderValue::from(millis)) };
        if let Some(value) = value {
            headers.insert(&self.0, value);
        }
    }

    fn is_grpc(&self) -> bool {
        self.0.as_str() == "grpc-timeout"
    }
}

/// A whole number without a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn of_grpc(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let count = number(digits).filter(|_| digits.len() <= DIGITS)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

fn to_grpc(millis: u64) -> Option<HeaderValue> {
    let most = 10u64.pow(8);
    let text =
        if millis < most { format!("{millis}m") } else { format!("{}S", (millis / 1_000).min(most - 1)) };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::DeadlineHeader;

    fn header(name: &'static str) -> DeadlineHeader {
        DeadlineHeader::new(HeaderName::from_static(name))
    }

    fn read(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        header(name).read(&headers)
    }

    #[test]
    fn both_forms_and_nothing_else() {
        let seconds = Duration::from_secs;
        for (value, time) in [
            ("1H", Some(seconds(3_600))),
            ("2M", Some(seconds(120))),
            ("99999999S", Some(seconds(99_999_999))),
            ("100m", Some(Duration::from_millis(100))),
            ("100u", Some(Duration::from_micros(100))),
            ("0n", Some(Duration::ZERO)),
            ("100000000m", None),
            ("m", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("", None),
            ("1", None),
        ] {
            assert_eq!(read("grpc-timeout", value), time, "{value:?}");
        }
        for (value, time) in
            [("250", Some(Duration::from_millis(250))), ("250m", None), ("-1", None), ("", None)]
        {
            assert_eq!(read("x-timeout-ms", value), time, "{value:?}");
        }
        assert_eq!(header("x-timeout-ms").read(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_never_more(left in 0u64..u64::MAX) {
            let left = Duration::from_millis(left);
            for header in [header("grpc-timeout"), header("x-timeout-ms")] {
                let mut headers = HeaderMap::new();
                header.write(&mut headers, left);
                let read = header.read(&headers).unwrap();
                prop_assert!(read <= left.max(Duration::from_millis(1)) && !read.is_zero());
                if left < Duration::from_secs(99_999) {
                    prop_assert_eq!(read, left.max(Duration::from_millis(1)));
                }
            }
        }

        #[test]
        fn no_value_panics(value in "\\PC{0,12}") {
            if let Ok(value) = HeaderValue::from_str(&value) {
                let mut headers = HeaderMap::new();
                headers.insert("grpc-timeout", value);
                let _ = header("grpc-timeout").read(&headers);
            }
        }
    }
}
