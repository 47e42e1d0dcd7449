//! What clients are told of their limits (compat P18, P19).

use plugin_sdk::{prelude::*, ratelimit::State};

/// The names of a window's fields, and its limit as text.
pub(crate) struct Shown {
    limit: (String, String),
    remaining: String,
}

/// At most as many windows as there are names for.
const WINDOWS: usize = 6;

impl Shown {
    pub(crate) fn new(window: &str, limit: u64) -> Self {
        Self {
            limit: (format!("x-ratelimit-limit-{window}"), limit.to_string()),
            remaining: format!("x-ratelimit-remaining-{window}"),
        }
    }
}

/// The window that has the least left; of two, the longer one.
pub(crate) fn tightest(states: &[State]) -> Option<(usize, &State)> {
    states.iter().enumerate().rev().min_by_key(|(_, state)| state.remaining)
}

/// Tells of all windows, and of the tightest one; and where nothing is left of it, when to come back.
pub(crate) fn show(request: &mut Request, shown: &[Shown], states: &[State], allowed: bool) {
    let Some((at, tightest)) = tightest(states) else { return };
    let remaining: [Decimal; WINDOWS] =
        std::array::from_fn(|at| Decimal::of(states.get(at).map_or(0, |state| state.remaining)));
    let reset = Decimal::of(tightest.reset.into());
    let none = Decimal::of(0);
    let mut fields = [("", ""); 2 * WINDOWS + 4];
    let mut room = fields.iter_mut();
    let mut count = 0;
    let mut put = |name, value| {
        if let Some(field) = room.next() {
            *field = (name, value);
            count += 1;
        }
    };
    for (shown, remaining) in shown.iter().zip(&remaining) {
        put(&shown.limit.0, &shown.limit.1);
        put(&shown.remaining, remaining.as_str());
    }
    put("ratelimit-limit", shown.get(at).map_or("", |shown| &shown.limit.1));
    put("ratelimit-remaining", remaining.get(at).unwrap_or(&none).as_str());
    put("ratelimit-reset", reset.as_str());
    if !allowed {
        put("retry-after", reset.as_str());
    }
    request.set_response_headers(fields.get(..count).unwrap_or_default());
}

/// A number in decimal digits, without an allocation.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Self {
        let (mut digits, mut start) = ([b'0'; 20], 20);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    fn as_str(&self) -> &str {
        self.digits.get(self.start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use plugin_sdk::ratelimit::State;

    use super::{Decimal, tightest};

    #[test]
    fn numbers_are_their_digits() {
        for number in [0, 7, 10, 429, 1_000, u64::MAX] {
            assert_eq!(Decimal::of(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn of_two_windows_with_as_little_left_the_longer_one_is_told_of() {
        let state = |remaining, reset| State { limit: 9, remaining, reset };
        let of = |states: &[State]| tightest(states).map(|(at, state)| (at, state.reset));
        assert_eq!(of(&[state(3, 1), state(2, 60), state(5, 3600)]), Some((1, 60)));
        assert_eq!(of(&[state(2, 1), state(2, 60)]), Some((1, 60)));
        assert_eq!(of(&[]), None);
    }
}
