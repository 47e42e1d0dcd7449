//! How much memory the regular expressions of one route may take together.

use super::rule_error::RuleError;
use crate::config::regex_limits::REGEXES_OF_A_ROUTE;

/// What they have taken so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: usize,
}

/// What may be a compiled expression.
pub(super) trait Compiled {
    /// How many bytes it takes then.
    fn memory(&self) -> usize;
}

impl Budget {
    /// As [`read`](super::rule_error::read), up to the element by which the route has taken too much: that one is an
    /// error, and what stands behind it is not compiled.
    pub(super) fn read<T: Compiled>(
        &mut self,
        field: &str,
        list: Option<&[String]>,
        parse: impl Fn(&str) -> Result<T, String>,
        errors: &mut Vec<RuleError>,
    ) -> Vec<T> {
        let mut read = Vec::new();
        for (at, text) in list.unwrap_or_default().iter().enumerate() {
            if self.is_spent() {
                break;
            }
            match parse(text).and_then(|value| self.take(value)) {
                Ok(value) => read.push(value),
                Err(message) => errors.push(RuleError { field: format!("{field}[{at}]"), message }),
            }
        }
        read
    }

    /// Takes what `value` needs.
    pub(super) fn take<T: Compiled>(&mut self, value: T) -> Result<T, String> {
        self.spent += value.memory();
        if self.is_spent() { Err(Self::refusal()) } else { Ok(value) }
    }

    const fn is_spent(&self) -> bool {
        self.spent > REGEXES_OF_A_ROUTE
    }

    fn refusal() -> String {
        format!(
            "with this one the regular expressions of the route take more than {} MiB, compiled: make several routes of it",
            REGEXES_OF_A_ROUTE >> 20
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Bytes(usize);

    impl Compiled for Bytes {
        fn memory(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_is_behind_the_limit_is_not_compiled() {
        let (mut budget, mut errors) = (Budget::default(), Vec::new());
        let megabytes = |text: &str| match text {
            "x" => panic!("it stands behind the limit"),
            text => text.parse().map(|size: usize| Bytes(size << 20)).map_err(|_| "no number".to_owned()),
        };
        let mut read = |field: &str, list: &[&str]| {
            let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
            budget.read(field, Some(&list), megabytes, &mut errors).len()
        };
        assert_eq!(read("a", &["60", "no", "4"]), 2);
        assert_eq!((read("b", &["0", "1", "x"]), read("c", &["x"])), (1, 0));
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["a[1]", "b[1]"]);
        assert!(errors.iter().any(|error| error.message.contains("64 MiB")), "{errors:?}");
    }
}
