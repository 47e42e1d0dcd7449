//! What is done to bodies.

use members::Members;
use plugin_sdk::{Query, serde_json::Value};

use crate::{
    arguments,
    multipart::Form,
    rules::{Action, Rendered},
};

/// A form of bodies that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Form,
    /// Parts between this boundary.
    Multipart(String),
}

impl Kind {
    /// What a `Content-Type` says; none where it is something else.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let small = content_type.to_ascii_lowercase();
        if small.contains("application/json") {
            return Some(Self::Json);
        }
        if small.contains("multipart/form-data") {
            return boundary(content_type).map(Self::Multipart);
        }
        small.contains("application/x-www-form-urlencoded").then_some(Self::Form)
    }

    /// The body with all that done; none where it stays as it is.
    ///
    /// What is not what it is said to be is an error: an upstream that is less strict would read in it what a rule has
    /// to keep out.
    pub(crate) fn changed<'r>(
        &self,
        body: &[u8],
        rules: impl IntoIterator<Item = Rendered<'r>>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        match self {
            Self::Json => json(body, rules),
            Self::Form => {
                let mut form = Query::parse(body);
                arguments::apply(&mut form, rules);
                Ok(Some(form.to_string().into()))
            }
            Self::Multipart(boundary) => {
                let mut form = Form::parse(body, boundary).ok_or(Malformed)?;
                rules.into_iter().for_each(|rule| form.apply(rule));
                Ok(Some(form.bytes(boundary)))
            }
        }
    }
}

/// A body that is not what it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The parameter that names the boundary (RFC 2046 section 5.1.1).
fn boundary(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let mut named = parameters.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let boundary = named.next()?.1.trim_matches('"');
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

fn json<'r>(
    body: &[u8],
    rules: impl IntoIterator<Item = Rendered<'r>>,
) -> Result<Option<Vec<u8>>, Malformed> {
    let body = if body.is_empty() { b"{}" } else { body };
    let Some(mut members) = Members::of(body).map_err(|_| Malformed)? else { return Ok(None) };
    for (action, name, value) in rules {
        let text = || Value::from(&*value);
        match action {
            Action::Remove => members.remove(name),
            Action::Rename => members.rename(name, &value),
            Action::Replace => members.replace(name, &text()),
            Action::Add => members.add(name, &text()),
            Action::Append => members.append(name, &text()),
        }
    }
    Ok(Some(members.text()))
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_content_type_says_what_a_body_is() {
        for (content_type, kind) in [
            ("application/json; charset=utf-8", Some(Kind::Json)),
            ("APPLICATION/X-WWW-FORM-URLENCODED", Some(Kind::Form)),
            ("multipart/form-data; boundary=\"a b\"", Some(Kind::Multipart("a b".to_owned()))),
            ("multipart/form-data; charset=x; Boundary=AbC", Some(Kind::Multipart("AbC".to_owned()))),
            ("multipart/form-data", None),
            ("text/plain", None),
        ] {
            assert_eq!(Kind::of(content_type), kind, "{content_type}");
        }
    }
}
