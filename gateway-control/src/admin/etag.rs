//! Tags of what is shown (RFC 9110 8.8.3), and the lists of them that requests bring.

use std::fmt;

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::{Hash, control::View, store::Revision};

/// The tag of an entity as it is shown: it changes when the entity does.
pub(super) fn of_entity(entity: &Value) -> String {
    format!("\"{}\"", Hash::of(&entity.to_string()))
}

/// Everything there is, as one thing with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// What a store keeps, at this revision.
    At(Revision),
    /// Without a store: a text with this digest.
    Text(Hash),
}

impl Whole {
    pub(super) fn of(view: &View) -> Self {
        view.revision().map_or_else(|| Self::Text(view.hash()), Self::At)
    }

    pub(super) fn tag(self) -> String {
        match self {
            Self::At(revision) => format!("\"{revision}\""),
            Self::Text(hash) => format!("\"{hash}\""),
        }
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(revision) => write!(f, "the newest revision is {revision}"),
            Self::Text(hash) => write!(f, "the tag of everything is \"{hash}\""),
        }
    }
}

/// What `If-Match` and `If-None-Match` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whatever is there.
    Any,
    /// One of these.
    Of(Vec<Tag>),
}

/// A field of the head that is no list of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoTags(HeaderName);

impl fmt::Display for NoTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has to be * or tags in quotes, as \"1\"", self.0)
    }
}

/// A tag as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    is_weak: bool,
    /// With its quotes.
    opaque: String,
}

impl Tags {
    /// The tags in a field of the head, where it is there.
    pub(super) fn in_head(headers: &HeaderMap, name: HeaderName) -> Result<Option<Self>, NoTags> {
        let lines = headers.get_all(&name).into_iter();
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        Self::of(&lines.join(",")).map(Some).ok_or(NoTags(name))
    }

    fn of(text: &str) -> Option<Self> {
        if text.trim_matches([' ', '\t']) == "*" {
            return Some(Self::Any);
        }
        let (mut tags, mut rest) = (Vec::new(), text);
        loop {
            // Empty elements mean nothing (RFC 9110 5.6.1.2).
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Some(Self::Of(tags));
            }
            let (tag, after) = Tag::first(rest)?;
            tags.push(tag);
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    /// Whether `own` is among them: a weak one is not (RFC 9110 13.1.1).
    pub(super) fn have(&self, own: &str) -> bool {
        self.any(|tag| !tag.is_weak && tag.opaque == own)
    }

    /// The same where a weak one will do (RFC 9110 13.1.2).
    pub(super) fn have_about(&self, own: &str) -> bool {
        self.any(|tag| tag.opaque == own)
    }

    fn any(&self, fits: impl Fn(&Tag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.iter().any(fits),
        }
    }
}

impl Tag {
    /// The tag that a text begins with, and what comes after it.
    fn first(text: &str) -> Option<(Self, &str)> {
        let strong = text.strip_prefix("W/");
        let (opaque, after) = strong.unwrap_or(text).strip_prefix('"')?.split_once('"')?;
        let is_fine = !opaque.contains(|c: char| c <= ' ' || c == '\x7f');
        is_fine.then(|| (Self { is_weak: strong.is_some(), opaque: format!("\"{opaque}\"") }, after))
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn lists_of_tags_are_read() {
        let tags = |text| Tags::of(text).map(|tags| (tags.have("\"7\""), tags.have_about("\"7\"")));
        for (text, wanted) in [
            ("*", Some((true, true))),
            (" * ", Some((true, true))),
            ("\"7\"", Some((true, true))),
            ("W/\"7\"", Some((false, true))),
            ("\"6\",\"7\"", Some((true, true))),
            ("\"6\" ,\t W/\"7\"", Some((false, true))),
            (", ,\"7\",", Some((true, true))),
            ("\"a,b\", \"7\"", Some((true, true))),
            ("\"a,\"\"7\"", None),
            ("\"*\"", Some((false, false))),
            ("\"\"", Some((false, false))),
            ("", Some((false, false))),
            ("7", None),
            ("w/\"7\"", None),
            ("\"7", None),
            ("\"7 \"", None),
            ("*, \"7\"", None),
            ("\"7\" x", None),
        ] {
            assert_eq!(tags(text), wanted, "{text}");
        }
    }
}
