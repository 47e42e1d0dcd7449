//! Rules of the form `name:value`, as Kong's transformers take them.

/// The name and the value of a rule: what follows the colons behind the name, perhaps nothing. None where there is no
/// name.
///
/// ```
/// use plugin_sdk::pair;
///
/// assert_eq!(pair::split("x-time:12:30"), Some(("x-time", "12:30")));
/// assert_eq!(pair::split("x-time"), Some(("x-time", "")));
/// assert_eq!(pair::split(":"), None);
/// ```
#[must_use]
pub fn split(rule: &str) -> Option<(&str, &str)> {
    let (name, value) = rule.split_once(':').unwrap_or((rule, ""));
    (!name.is_empty()).then(|| (name, value.trim_start_matches(':')))
}
