//! Media types, as Kong compares them.

/// A media type of the configuration: `text/plain`, `application/*`, `text/html; charset=utf-8`.
#[derive(Clone, Debug)]
pub(super) struct MediaType(String);

impl MediaType {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `content_type` is of this type, with the same parameters and no others.
    pub(super) fn matches(&self, content_type: &str) -> bool {
        let (Some(wanted), Some(found)) = (Parts::of(&self.0), Parts::of(content_type)) else { return false };
        let same = |wanted: &str, found: &str| wanted == "*" || wanted.eq_ignore_ascii_case(found);
        same(wanted.kind, found.kind) && same(wanted.subtype, found.subtype) && wanted.same_parameters(&found)
    }
}

struct Parts<'t> {
    kind: &'t str,
    subtype: &'t str,
    parameters: Vec<(&'t str, &'t str)>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let parameter = |part: &'t str| {
            part.split_once('=').map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
        };
        let parameters = parts.filter(|part| !part.is_empty()).map(parameter).collect::<Option<Vec<_>>>()?;
        (!kind.is_empty() && !subtype.is_empty()).then_some(Self { kind, subtype, parameters })
    }

    fn same_parameters(&self, found: &Self) -> bool {
        // Where the upstream names no charset the gateway does, in these letters (compat P31); nginx does that after
        // Kong's cache has looked.
        if self.parameters.is_empty() && found.parameters == [("charset", "UTF-8")] {
            return true;
        }
        let has = |(name, value): &(&str, &str)| {
            let mut others = found.parameters.iter();
            others.any(|(other, its)| other.eq_ignore_ascii_case(name) && its.eq_ignore_ascii_case(value))
        };
        self.parameters.len() == found.parameters.len() && self.parameters.iter().all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    #[test]
    fn types_match_with_their_parameters() {
        for (wanted, found, matches) in [
            ("text/plain", "text/plain", true),
            ("text/plain", "Text/PLAIN", true),
            ("text/plain", "text/plain; charset=UTF-8", true),
            ("text/plain", "text/plain; charset=utf-8", false),
            ("application/json", "application/json; charset=utf-8", false),
            ("application/json; charset=utf-8", "application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=utf-8", "application/json", false),
            ("application/*", "application/xml", true),
            ("*/*", "image/png", true),
            ("*/*", "image/png; a=b", false),
            ("text/plain", "text/html", false),
            ("text/plain", "text", false),
            ("text/plain", "", false),
            ("nonsense", "nonsense", false),
        ] {
            assert_eq!(MediaType::new(wanted).matches(found), matches, "{wanted} {found}");
        }
    }
}
