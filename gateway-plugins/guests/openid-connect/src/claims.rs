//! What tokens say: claims by their paths, and what is wanted of them.

use plugin_sdk::serde_json::Value;

/// The value of a claim, by its path.
pub(crate) fn find<'v>(claims: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(claims, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// A claim that must have some of these values.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) path: Vec<String>,
    /// One of these must be there; of each, all words.
    any: Vec<Vec<String>>,
    /// Whether a text is a list of words, as that of scopes.
    words: bool,
}

impl Wanted {
    /// None where nothing is wanted.
    pub(crate) fn new(path: &[String], any: Option<&[String]>, words: bool) -> Option<Self> {
        let any = any?
            .iter()
            .map(|all| all.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect());
        Some(Self { path: path.to_vec(), any: any.collect(), words })
    }

    /// Whether the value of the claim has what is wanted: to the letter, and nothing but texts and lists of texts.
    pub(crate) fn is_met_by(&self, value: Option<&Value>) -> bool {
        let has = |wanted: &String| match value {
            Some(Value::String(text)) if self.words => text.split(' ').any(|word| word == wanted),
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(wanted)),
            _ => false,
        };
        self.any.iter().any(|all| !all.is_empty() && all.iter().all(has))
    }

    /// What a refusal names: the first of the alternatives.
    pub(crate) fn told(&self) -> String {
        self.any.first().map(|all| all.join(" ")).unwrap_or_default()
    }
}

/// The texts of a list, or the words of a text.
pub(crate) fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A claim as the value of a header field: texts as they are, what has parts as JSON. None for what no field can carry.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    fits.then(|| text.trim().to_owned())
}

/// Bytes of a claim in a header field.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use plugin_sdk::testing::json;

    use super::{Wanted, find, text, words};

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn wanted_values_are_matched_to_the_letter() {
        let wanted = Wanted::new(&texts(&["scope"]), Some(&texts(&["read write", "admin"])), true).unwrap();
        for (value, met) in [
            (json!("read write"), true),
            (json!("write x read"), true),
            (json!(["read", "write"]), true),
            (json!("admin"), true),
            (json!("read"), false),
            (json!("administrator"), false),
            (json!("Admin"), false),
            (json!({ "admin": true }), false),
            (json!([["admin"]]), false),
            (json!(true), false),
        ] {
            assert_eq!(wanted.is_met_by(Some(&value)), met, "{value}");
        }
        assert!(!wanted.is_met_by(None));
        let one = Wanted::new(&texts(&["aud"]), Some(&texts(&["api"])), false).unwrap();
        assert!(one.is_met_by(Some(&json!("api"))) && one.is_met_by(Some(&json!(["x", "api"]))));
        assert!(!one.is_met_by(Some(&json!("api other"))) && !one.is_met_by(Some(&json!("api2"))));
        let nothing = Wanted::new(&texts(&["aud"]), Some(&texts(&[" "])), false).unwrap();
        assert!(!nothing.is_met_by(Some(&json!(""))), "an empty demand lets nobody in");
    }

    #[test]
    fn claims_are_found_by_their_paths_and_shown_safely() {
        let claims = json!({ "realm_access": { "roles": ["a"] }, "name": "J\u{f6}rg", "none": null });
        assert_eq!(find(&claims, &texts(&["realm_access", "roles"])), Some(&json!(["a"])));
        assert_eq!((find(&claims, &texts(&["none"])), find(&claims, &texts(&["name", "x"]))), (None, None));
        for (value, found) in [
            (json!(["a b", 7, "c", ["d"]]), vec!["a b", "c"]),
            (json!("a  b"), vec!["a", "b"]),
            (json!({ "a": true }), vec![]),
        ] {
            assert_eq!(words(&value), found);
        }
        assert_eq!(text(&json!("J\u{f6}rg")).as_deref(), Some("J\u{f6}rg"));
        assert_eq!(text(&json!(7)).as_deref(), Some("7"));
        assert_eq!(text(&json!(["a", "b"])).as_deref(), Some(r#"["a","b"]"#));
        for value in [json!("a\r\nx-admin: 1"), json!(""), json!("x".repeat(5000)), json!(null)] {
            assert_eq!(text(&value), None, "{value}");
        }
    }
}
