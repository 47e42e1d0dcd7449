//! Numbers, sizes and times within a range.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use crate::units::{Size, Time};

/// A number from `MIN` to `MAX`.
pub(super) fn count<'de, D, T, const MIN: u32, const MAX: u32>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = i64::deserialize(deserializer)?;
    let fits = (i64::from(MIN)..=i64::from(MAX)).contains(&number);
    let number = T::try_from(number).ok().filter(|_| fits);
    number.map(Some).ok_or_else(|| D::Error::custom(format!("not within {MIN} to {MAX}")))
}

/// A size from `MIN` to `MAX` bytes.
pub(super) fn size<'de, D, const MIN: usize, const MAX: usize>(
    deserializer: D,
) -> Result<Option<Size>, D::Error>
where
    D: Deserializer<'de>,
{
    let size = Size::deserialize(deserializer)?;
    let fits = (MIN..=MAX).contains(&size.0);
    let told = || D::Error::custom(format!("not within {}KiB to {}KiB", MIN >> 10, MAX >> 10));
    fits.then_some(Some(size)).ok_or_else(told)
}

/// A time from `MIN` to `MAX` milliseconds.
pub(super) fn time<'de, D, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Option<Time>, D::Error>
where
    D: Deserializer<'de>,
{
    let time = Time::deserialize(deserializer)?;
    let fits = (Duration::from_millis(MIN)..=Duration::from_millis(MAX)).contains(&time.0);
    let least = if MIN == 0 { "0".to_owned() } else { format!("{MIN}ms") };
    fits.then_some(Some(time))
        .ok_or_else(|| D::Error::custom(format!("not within {least} to {}m", MAX / 60_000)))
}
