//! A body in which a key may stand.

use std::fmt;

use plugin_sdk::{
    Text, form,
    serde::{
        Deserialize, Deserializer,
        de::{MapAccess, Visitor},
    },
};
use serde_json::value::RawValue;

use crate::found::Found;

/// A body with fields.
pub(crate) enum Body {
    Form(String),
    Json(Json),
}

impl Body {
    /// The fields of a body of this kind; none where it has none that can be read.
    pub(crate) fn of(kind: Kind, bytes: Vec<u8>) -> Option<Self> {
        match kind {
            Kind::Form => String::from_utf8(bytes).ok().map(Self::Form),
            Kind::Json => serde_json::from_slice(&bytes).ok().map(Self::Json),
        }
    }

    /// The value of a field.
    pub(crate) fn find(&self, name: &str) -> Found {
        match self {
            Self::Form(text) => Found::among(text, name),
            Self::Json(json) => json.find(name),
        }
    }

    /// The body without a field; nothing where there is no such field.
    pub(crate) fn without(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Form(text) => form::without(text, name).map(String::into_bytes),
            Self::Json(json) => json.without(name),
        }
    }
}

/// What a body may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Form,
    Json,
}

impl Kind {
    /// By the media type (RFC 9110 section 8.3.1).
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Self::Form);
        }
        media.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }
}

/// The members of a JSON object, in their order and with their values as they were written.
pub(crate) struct Json(Vec<(String, Box<RawValue>)>);

impl Json {
    fn find(&self, name: &str) -> Found {
        let mut values = self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.get());
        match (values.next(), values.next()) {
            (None, _) => Found::None,
            (Some(_), Some(_)) => Found::Several,
            (Some(value), None) if value.starts_with(['[', '{']) => Found::Several,
            (Some(value), None) => serde_json::from_str::<String>(value)
                .map_or(Found::Other, |text| Found::One(Text::from(&*text))),
        }
    }

    fn without(&self, name: &str) -> Option<Vec<u8>> {
        let left: Vec<_> = self.0.iter().filter(|(own, _)| own != name).collect();
        if left.len() == self.0.len() {
            return None;
        }
        let member = |(name, value): &&(String, Box<RawValue>)| {
            format!("{}:{}", serde_json::Value::from(name.as_str()), value.get())
        };
        let members: Vec<_> = left.iter().map(member).collect();
        Some(format!("{{{}}}", members.join(",")).into_bytes())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Found, Kind};

    const JSON: &str = "application/json; charset=utf-8";

    fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Option<Body> {
        Body::of(Kind::of(content_type)?, body.into())
    }

    fn without(content_type: &str, body: &str) -> Option<String> {
        of(content_type, body)?.without("k").map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn what_is_left_of_a_body_is_as_it_was() {
        let json = r#"{"a": 1.0, "k": "x", "b\"": [1, {"k": 2}], "n": 12345678901234567890123}"#;
        let left = r#"{"a":1.0,"b\"":[1, {"k": 2}],"n":12345678901234567890123}"#;
        assert_eq!(without(JSON, json).as_deref(), Some(left));
        assert_eq!(without("application/x-www-form-urlencoded", "a=1&k=x&b=%20").as_deref(), Some("a=1&b=+"));
        assert_eq!(without(JSON, r#"{"a":1}"#), None);
        assert_eq!(without(JSON, r#"{"k":1}"#).as_deref(), Some("{}"));
    }

    #[test]
    fn only_a_text_is_a_key() {
        for (body, expected) in [
            (r#"{"k":"a\u0062"}"#, Found::One("ab".into())),
            (r#"{"k":""}"#, Found::One("".into())),
            (r#"{"k":7}"#, Found::Other),
            (r#"{"k":null}"#, Found::Other),
            (r#"{"k":["a"]}"#, Found::Several),
            (r#"{"k":{"a":"b"}}"#, Found::Several),
            (r#"{"k":"a","k":"b"}"#, Found::Several),
            (r#"{"K":"a"}"#, Found::None),
        ] {
            assert_eq!(of(JSON, body).unwrap().find("k"), expected, "{body}");
        }
        for body in ["", "[]", "{\"k\":\"a\"", "{}x", "\"k\""] {
            assert!(of(JSON, body).is_none(), "{body}");
        }
        assert!(of("text/plain", "k=a").is_none());
        assert!(of("application/x-www-form-urlencoded", vec![b'k', b'=', 0xff]).is_none());
    }
}
