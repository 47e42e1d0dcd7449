//! Times and sizes, as people write them.

use std::time::Duration;

use serde::{Deserialize, de::Error};

/// A time with its unit: `250ms`, `5s`, `2m`; a plain `0` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

/// A size: `8KiB`, `1MiB`, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// A number, or a text with a unit.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or a text with a unit")]
enum Raw {
    Number(u64),
    Text(String),
}

impl Time {
    fn parse(text: &str) -> Result<Self, String> {
        let milliseconds = match split(text) {
            Some((number, "ms")) => Some(number),
            Some((number, "s")) => number.checked_mul(1000),
            Some((number, "m")) => number.checked_mul(60_000),
            Some((0, "")) => Some(0),
            _ => None,
        };
        let time = milliseconds.map(|milliseconds| Self(Duration::from_millis(milliseconds)));
        time.ok_or_else(|| format!("'{text}' is no time; write 250ms, 5s or 2m"))
    }
}

impl Size {
    fn parse(text: &str) -> Result<Self, String> {
        let bytes = split(text).and_then(|(number, unit)| match unit {
            "" | "B" => Some(number),
            "KiB" => number.checked_mul(1 << 10),
            "MiB" => number.checked_mul(1 << 20),
            _ => None,
        });
        let size = bytes.and_then(|bytes| usize::try_from(bytes).ok()).map(Self);
        size.ok_or_else(|| format!("'{text}' is no size; write 8KiB, 1MiB or a number of bytes"))
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => Self::parse(&number.to_string()),
            Raw::Text(text) => Self::parse(&text),
        }
        .map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => Self::parse(&number.to_string()),
            Raw::Text(text) => Self::parse(&text),
        }
        .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, Time};

    #[test]
    fn times_have_a_unit() {
        for (text, milliseconds) in [("250ms", 250), ("5s", 5000), ("2m", 120_000), ("0", 0), ("1 s", 1000)] {
            assert_eq!(Time::parse(text).unwrap().0.as_millis(), milliseconds);
        }
        for text in ["", "5", "s", "-1s", "1h", "1.5s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(Time::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("8KiB", 8192), ("1MiB", 1 << 20), ("100", 100), ("7 B", 7)] {
            assert_eq!(Size::parse(text).unwrap().0, bytes);
        }
        assert!(Size::parse("8KB").is_err());
    }
}
