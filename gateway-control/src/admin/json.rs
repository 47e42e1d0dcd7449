//! JSON bodies in which each field stands once (D35).
//!
//! Most readers take the last of two, some the first: who checks a request before it comes here may read another one.

use std::fmt;

use gateway_core::config::{Path, Step};
use http::StatusCode;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::reply::Failure;

/// Why a body is not read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It is no JSON.
    Syntax(serde_json::Error),
    /// A field stands there twice.
    Twice(Path),
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Syntax(_) => Self::Json,
            Wrong::Twice(path) => twice(&path),
        }
    }
}

/// What a body says.
pub(super) fn value(body: &[u8]) -> Result<Value, Wrong> {
    let mut place = Place::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Once(&mut place).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| match place.is_twice {
        true => Wrong::Twice(place.steps.into_iter().collect()),
        false => Wrong::Syntax(error),
    })
}

/// The fields of a body that is an object (D24).
pub(super) fn fields(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    match value(body)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Failure::Json),
    }
}

/// In Kong's form of a field that is wrong.
fn twice(path: &Path) -> Failure {
    const TEXT: &str = "field given twice";
    let fields = path.steps().iter().rev().fold(Value::from(TEXT), |inner, step| match step {
        Step::Field(name) => Map::from_iter([(name.to_string(), inner)]).into(),
        Step::Index(index) => std::iter::repeat_n(Value::Null, *index).chain([inner]).collect(),
    });
    let message = format!("schema violation ({}: {TEXT})", path.dotted());
    let body = json!({ "code": 2, "name": "schema violation", "message": message, "fields": fields });
    Failure::Refused(StatusCode::BAD_REQUEST, body)
}

/// Where a reader is.
#[derive(Default)]
struct Place {
    steps: Vec<Step>,
    /// The field there has been before.
    is_twice: bool,
}

/// Reads a value as `serde_json` does, up to a field that has been there.
struct Once<'p>(&'p mut Place);

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        self.0.steps.push(Step::Index(0));
        while let Some(value) = list.next_element_seed(Once(self.0))? {
            values.push(value);
            self.0.steps.pop();
            self.0.steps.push(Step::Index(values.len()));
        }
        self.0.steps.pop();
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.0.steps.push(Step::Field(name.clone().into()));
            if fields.contains_key(&name) {
                self.0.is_twice = true;
                return Err(A::Error::custom("field given twice"));
            }
            fields.insert(name, map.next_value_seed(Once(self.0))?);
            self.0.steps.pop();
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Wrong, fields, value};
    use crate::admin::reply::Failure;

    #[test]
    fn what_has_each_field_once_is_read_as_ever() {
        for text in [
            r#"{"a": {"b": [1, -2, 2.5, 1e300, 18446744073709551615, {"b": null}], "c": "\u00e9\ud83d\ude00"}, "b": true}"#,
            "[[], {}]",
            "7",
            " null ",
        ] {
            let wanted: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value(text.as_bytes()).unwrap(), wanted, "{text}");
        }
        for text in ["", "{", "{} {}", "{\"a\": 1,}", "{\"a\": 01}", "nul", &"[".repeat(1_000)] {
            assert!(matches!(value(text.as_bytes()), Err(Wrong::Syntax(_))), "{text}");
        }
        assert!(matches!(fields(b"[]"), Err(Failure::Json)), "D24");
    }

    #[test]
    fn a_field_given_twice_is_refused_where_it_stands() {
        for (text, path, told) in [
            (r#"{"a": 1, "a": 1}"#, "a", json!({ "a": "field given twice" })),
            (r#"{"a": {"b": 1, "\u0062": 2}}"#, "a.b", json!({ "a": { "b": "field given twice" } })),
            (
                r#"{"a": [1, {"b": [{}], "b": 1}]}"#,
                "a.2.b",
                json!({ "a": [null, { "b": "field given twice" }] }),
            ),
        ] {
            let Err(Failure::Refused(status, body)) = fields(text.as_bytes()) else { panic!("{text}") };
            let message = format!("schema violation ({path}: field given twice)");
            assert_eq!((status.as_u16(), &body["message"], &body["fields"]), (400, &json!(message), &told));
        }
    }
}
