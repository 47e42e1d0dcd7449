//! What clients are told of their limits (compat P18, P19).

use plugin_sdk::{HeaderList, Value, prelude::*, ratelimit::State};

/// The fields that tell of all windows, and of the tightest one.
pub(crate) struct Shown(HeaderList);

/// At most as many windows as there are names for.
const WINDOWS: usize = 6;

impl Shown {
    /// For windows of these names and limits.
    pub(crate) fn new<'w>(windows: impl IntoIterator<Item = (&'w str, u64)>) -> Result<Self, Error> {
        let of = |(window, limit): (&str, u64)| {
            let limit = (format!("x-ratelimit-limit-{window}"), Some(limit.to_string()));
            [limit, (format!("x-ratelimit-remaining-{window}"), None)]
        };
        let tightest = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
        let tightest = tightest.map(|name| (name.to_owned(), None));
        let fields: Vec<_> = windows.into_iter().flat_map(of).chain(tightest).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        HeaderList::new(&fields).map(Self)
    }

    /// Tells of `states`; and where nothing is left of the tightest one, when to come back.
    pub(crate) fn tell(&self, request: &mut Request, states: &[State], allowed: bool) {
        let Some(tightest) = tightest(states) else { return };
        let of_tightest = [tightest.limit, tightest.remaining, tightest.reset.into()];
        let numbers = states.iter().map(|state| state.remaining).chain(of_tightest);
        let (mut values, mut count) = ([Value::Number(0); WINDOWS + 3], 0);
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = number.into();
            count += 1;
        }
        request.fill_response_headers(self.0, values.get(..count).unwrap_or_default());
        if !allowed {
            request.set_response_header("retry-after", &tightest.reset.to_string());
        }
    }
}

/// The window that has the least left; of two, the longer one.
fn tightest(states: &[State]) -> Option<&State> {
    states.iter().rev().min_by_key(|state| state.remaining)
}

#[cfg(test)]
mod tests {
    use plugin_sdk::ratelimit::State;

    use super::tightest;

    #[test]
    fn of_two_windows_with_as_little_left_the_longer_one_is_told_of() {
        let state = |remaining, reset| State { limit: 9, remaining, reset };
        let of = |states: &[State]| tightest(states).map(|state| state.reset);
        assert_eq!(of(&[state(3, 1), state(2, 60), state(5, 3600)]), Some(60));
        assert_eq!(of(&[state(2, 1), state(2, 60)]), Some(60));
        assert_eq!(of(&[]), None);
    }
}
