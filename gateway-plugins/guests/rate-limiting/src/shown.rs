//! What clients are told of their limits (compat P18, P19).

use plugin_sdk::{
    prelude::*,
    ratelimit::{Of, Report, Says},
};

/// The report of windows with these names and limits: of each of them, and of the tightest one. Where nothing is left of
/// that, it says when to come back.
pub(crate) fn shown<'w>(windows: impl IntoIterator<Item = (&'w str, u64)>) -> Result<Report, Error> {
    let of = |(at, (window, limit)): (u8, (&str, u64))| {
        let limit = (format!("x-ratelimit-limit-{window}"), limit.to_string());
        (limit, (format!("x-ratelimit-remaining-{window}"), Says::Remaining(Of::Window(at))))
    };
    let windows: Vec<_> = (0..).zip(windows).map(of).collect();
    let of_each = windows.iter().flat_map(|((limit, text), (remaining, says))| {
        [(limit.as_str(), Says::Text(text)), (remaining.as_str(), *says)]
    });
    let of_tightest = [
        ("ratelimit-limit", Says::Limit(Of::Tightest)),
        ("ratelimit-remaining", Says::Remaining(Of::Tightest)),
        ("ratelimit-reset", Says::Reset(Of::Tightest)),
    ];
    let fields: Vec<_> = of_each.chain(of_tightest).collect();
    Report::new(&fields, &[("retry-after", Says::Reset(Of::Tightest))])
}
