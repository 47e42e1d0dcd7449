//! `If-Match` and `If-None-Match`: a change only on top of what its author has seen (RFC 9110 13.1).

use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use crate::{Hash, admin::reply::Failure, store::Revision};

/// What must be so for a change to be made.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    matching: Option<Tags>,
    /// `If-None-Match: *`: only where nothing is yet.
    absent: bool,
}

#[derive(Clone, Debug)]
enum Tags {
    /// `*`: whatever is there.
    Any,
    /// One of these.
    Of(Vec<String>),
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let tags = |name: HeaderName| -> Vec<String> {
            let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()
        };
        let is_any = |tags: &[String]| tags.iter().any(|tag| tag == "*");
        let (wanted, unwanted) = (tags(header::IF_MATCH), tags(header::IF_NONE_MATCH));
        let matching = match () {
            () if !headers.contains_key(header::IF_MATCH) => None,
            () if is_any(&wanted) => Some(Tags::Any),
            () => Some(Tags::Of(wanted)),
        };
        Self { matching, absent: is_any(&unwanted) }
    }

    /// Refuses where it is not so. A tag is that of the entity, or a revision of everything.
    pub(super) fn check(
        &self,
        revision: Revision,
        current: impl FnOnce() -> Option<Value>,
    ) -> Result<(), Failure> {
        if self.matching.is_none() && !self.absent {
            return Ok(());
        }
        let current = current();
        let fits = match &self.matching {
            None => true,
            Some(Tags::Any) => current.is_some(),
            // A weak one, `W/".."`, is none of ours.
            Some(Tags::Of(tags)) => {
                let own = current.as_ref().map(tag);
                let newest = tag_of(revision);
                tags.iter().any(|tag| *tag == newest || Some(tag) == own.as_ref())
            }
        };
        let fits = fits && !(self.absent && current.is_some());
        if fits { Ok(()) } else { Err(Failure::Precondition(revision)) }
    }
}

/// The tag of an entity as it is shown: it changes when the entity does.
pub(in crate::admin) fn tag(entity: &Value) -> String {
    format!("\"{}\"", Hash::of(&entity.to_string()))
}

/// The tag of everything.
pub(in crate::admin) fn tag_of(revision: Revision) -> String {
    format!("\"{revision}\"")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::{Conditions, tag};
    use crate::store::Revision;

    #[test]
    fn a_change_is_made_on_top_of_what_was_seen() {
        let entity = json!({ "id": 1 });
        let own = tag(&entity);
        let check = |name: &'static str, value: &str, is_there: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let current = || is_there.then(|| entity.clone());
            Conditions::of(&headers).check(Revision::new(7), current).is_ok()
        };
        for (name, value, is_there, fits) in [
            ("if-match", "*", true, true),
            ("if-match", "*", false, false),
            ("if-match", "\"7\"", false, true),
            ("if-match", "\"6\", \"7\"", true, true),
            ("if-match", "\"6\"", true, false),
            ("if-match", "7", true, false),
            ("if-match", "W/\"7\"", true, false),
            ("if-match", "", true, false),
            ("if-match", own.as_str(), true, true),
            ("if-match", own.as_str(), false, false),
            ("if-none-match", "*", true, false),
            ("if-none-match", "*", false, true),
        ] {
            assert_eq!(check(name, value, is_there), fits, "{name}: {value}");
        }
        assert!(Conditions::default().check(Revision::NONE, || None).is_ok());
    }
}
