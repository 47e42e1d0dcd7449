//! `If-Match` and `If-None-Match` of a write: a change only on top of what its author has seen (RFC 9110 13.1).

use http::{HeaderMap, header};

use crate::admin::{
    etag::{Tags, Whole},
    reply::Failure,
};

/// What must be so for a change to be made.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    matching: Option<Tags>,
    unlike: Option<Tags>,
}

/// What is there before a write, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Nothing,
    /// An entity with this tag.
    Entity(String),
    /// A list, or everything: its tag is that of the whole.
    Whole,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        Ok(Self {
            matching: Tags::in_head(headers, header::IF_MATCH)?,
            unlike: Tags::in_head(headers, header::IF_NONE_MATCH)?,
        })
    }

    /// Refuses where it is not so. A tag is that of what stands there, or that of the whole: nothing has changed at all.
    pub(super) fn check(&self, whole: Whole, current: impl FnOnce() -> Standing) -> Result<(), Failure> {
        if self.matching.is_none() && self.unlike.is_none() {
            return Ok(());
        }
        let (standing, newest) = (current(), whole.tag());
        let unmet = match &self.matching {
            Some(Tags::Any) if standing == Standing::Nothing => Some("nothing is there"),
            Some(tags) if !tags.have(&newest) && !standing.is(|own| tags.have(own)) => {
                Some("it has changed meanwhile")
            }
            _ => None,
        };
        let unmet = unmet.or(match &self.unlike {
            _ if standing == Standing::Nothing => None,
            Some(Tags::Any) => Some("it is there already"),
            Some(tags) if tags.have_about(&newest) || standing.is(|own| tags.have_about(own)) => {
                Some("it has not changed")
            }
            _ => None,
        });
        unmet.map_or(Ok(()), |unmet| Err(Failure::Precondition(unmet, whole)))
    }
}

impl Standing {
    /// Whether it is an entity whose tag fits.
    fn is(&self, fits: impl FnOnce(&str) -> bool) -> bool {
        matches!(self, Self::Entity(tag) if fits(tag))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::{Conditions, Standing};
    use crate::{Hash, admin::etag::Whole, store::Revision};

    fn fits(whole: Whole, standing: &Standing, name: &'static str, value: &str) -> bool {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]);
        Conditions::of(&headers).unwrap().check(whole, || standing.clone()).is_ok()
    }

    #[test]
    fn a_change_is_made_on_top_of_what_was_seen() {
        let (nothing, entity, whole) =
            (Standing::Nothing, Standing::Entity("\"e\"".to_owned()), Standing::Whole);
        for (name, value, [with_nothing, with_entity, with_whole]) in [
            ("if-match", "*", [false, true, true]),
            ("if-match", "\"7\"", [true, true, true]),
            ("if-match", "\"6\", \"7\"", [true, true, true]),
            ("if-match", "\"6\"", [false, false, false]),
            ("if-match", "W/\"7\"", [false, false, false]),
            ("if-match", "W/\"e\"", [false, false, false]),
            ("if-match", "\"6\",\"e\"", [false, true, false]),
            ("if-match", "", [false, false, false]),
            ("if-none-match", "*", [true, false, false]),
            ("if-none-match", "\"6\"", [true, true, true]),
            ("if-none-match", "\"6\", W/\"7\"", [true, false, false]),
            ("if-none-match", "W/\"e\"", [true, false, true]),
        ] {
            let seven = Whole::At(Revision::new(7));
            assert_eq!(fits(seven, &nothing, name, value), with_nothing, "{name}: {value}, nothing");
            assert_eq!(fits(seven, &entity, name, value), with_entity, "{name}: {value}, an entity");
            assert_eq!(fits(seven, &whole, name, value), with_whole, "{name}: {value}, all");
        }
        let text = Whole::Text(Hash::of("services: []"));
        assert!(fits(text, &whole, "if-match", &text.tag()) && fits(text, &whole, "if-match", "*"));
        assert!(!fits(text, &whole, "if-match", "\"0\""), "no revision at all");
        let nothing_asked = Conditions::default().check(text, || Standing::Nothing);
        assert!(nothing_asked.is_ok());
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for value in ["7", "*, \"7\"", "\"7"] {
            let headers = HeaderMap::from_iter([(http::header::IF_MATCH, value.parse().unwrap())]);
            assert!(Conditions::of(&headers).is_err(), "{value}");
        }
    }
}
