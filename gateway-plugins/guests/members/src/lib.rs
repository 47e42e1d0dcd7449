//! The members of a JSON object, their values as they stand.
//!
//! A value is text that is copied, never a tree: a body of nothing but `[[[[` would be one of a hundred times its size.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Serialize, de::IgnoredAny};
use serde_json::{Result, Value, value::RawValue};

/// The members of a JSON object, in their order. Of two of one name the last one counts.
#[derive(Debug)]
pub struct Members<'b>(IndexMap<String, Cow<'b, RawValue>>);

impl<'b> Members<'b> {
    /// Those of the object in a text; none where it is JSON, but no object.
    ///
    /// # Errors
    /// A text that is no JSON.
    pub fn of(text: &'b [u8]) -> Result<Option<Self>> {
        if !text.trim_ascii_start().starts_with(b"{") {
            return serde_json::from_slice::<IgnoredAny>(text).map(|_| None);
        }
        let members: IndexMap<String, &RawValue> = serde_json::from_slice(text)?;
        let members = members.into_iter().map(|(name, value)| (name, Cow::Borrowed(value)));
        Ok(Some(Self(members.collect())))
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) {
        self.0.shift_remove(name);
    }

    /// Puts a member at the end, or in place of the one of its new name.
    pub fn rename(&mut self, old: &str, new: &str) {
        if let Some(value) = self.0.shift_remove(old) {
            self.0.insert(new.to_owned(), value);
        }
    }

    /// Gives a member that is there another value.
    pub fn replace(&mut self, name: &str, value: &Value) {
        if let Some(own) = self.0.get_mut(name) {
            *own = raw(value);
        }
    }

    /// Adds a member where there is none of this name.
    pub fn add(&mut self, name: &str, value: &Value) {
        self.0.entry(name.to_owned()).or_insert_with(|| raw(value));
    }

    /// A text becomes a list of two, a list gets one more; anything else makes room for a list of one, as in Kong. An
    /// object stays as it is.
    pub fn append(&mut self, name: &str, value: &Value) {
        let own = self.0.entry(name.to_owned()).or_insert(Cow::Borrowed(RawValue::NULL));
        let value = raw(value);
        let mut values: Vec<&RawValue> = match own.get().as_bytes().first() {
            Some(b'{') => return,
            Some(b'[') => serde_json::from_str(own.get()).unwrap_or_default(),
            Some(b'"') => vec![&**own],
            _ => Vec::new(),
        };
        values.push(&value);
        *own = raw(&values);
    }

    /// The text of the object.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        // It has been read, and is written as it was.
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

fn raw<'b>(value: &impl Serialize) -> Cow<'b, RawValue> {
    serde_json::value::to_raw_value(value).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Members;

    fn changed(text: &str, change: impl FnOnce(&mut Members<'_>)) -> String {
        let mut members = Members::of(text.as_bytes()).unwrap().unwrap();
        change(&mut members);
        String::from_utf8(members.text()).unwrap()
    }

    #[test]
    fn what_is_not_changed_stays_as_it_was_written() {
        let text = r#" {"a": 1.50e+3, "b" :[ {"c":1,"c":2} ], "a": "\u00fc" } "#;
        assert_eq!(changed(text, |_| {}), r#"{"a":"\u00fc","b":[ {"c":1,"c":2} ]}"#);
    }

    #[test]
    fn members_are_taken_out_put_in_and_changed() {
        let two = r#"{"a":1,"b":2}"#;
        assert_eq!(changed(two, |it| it.remove("a")), r#"{"b":2}"#);
        assert_eq!(changed(two, |it| it.remove("c")), two);
        assert_eq!(changed(two, |it| it.rename("a", "c")), r#"{"b":2,"c":1}"#);
        assert_eq!(changed(two, |it| it.rename("a", "b")), r#"{"b":1}"#);
        assert_eq!(changed(two, |it| it.replace("a", &json!("x"))), r#"{"a":"x","b":2}"#);
        assert_eq!(changed(two, |it| it.replace("c", &json!("x"))), two);
        assert_eq!(changed(two, |it| it.add("c", &json!(true))), r#"{"a":1,"b":2,"c":true}"#);
        assert_eq!(changed(two, |it| it.add("a", &json!(true))), two);
    }

    #[test]
    fn values_are_appended_by_what_is_there() {
        for (own, expected) in [
            (r#"{"a":"x"}"#, r#"{"a":["x","y"]}"#),
            (r#"{"a":[1, [2]]}"#, r#"{"a":[1,[2],"y"]}"#),
            (r#"{"a":[]}"#, r#"{"a":["y"]}"#),
            (r#"{"a":{}}"#, r#"{"a":{}}"#),
            (r#"{"a":1}"#, r#"{"a":["y"]}"#),
            ("{}", r#"{"a":["y"]}"#),
        ] {
            assert_eq!(changed(own, |it| it.append("a", &json!("y"))), expected, "{own}");
        }
    }

    #[test]
    fn only_an_object_has_members() {
        for other in ["[]", "1", " null", "\"{\""] {
            assert!(Members::of(other.as_bytes()).unwrap().is_none(), "{other}");
        }
        for broken in ["", "{", "{]", "[1", "{\"a\":1}x", "nul", "{\"a\":[}"] {
            assert!(Members::of(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
