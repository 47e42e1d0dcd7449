//! Path templates: named parameters without a regular expression.

use std::{collections::HashSet, fmt};

use super::path::{Piece, is_reserved, pieces, stands_plain};

/// The crate that matches templates names no more parameters than this.
const MOST_PARAMETERS: usize = 25;

/// A path with parameters, `/users/{id}`, which takes whole paths. Syntax and meaning are those of the crate
/// [`matchit`]:
///
/// - `{id}` takes one segment or a part of it, `/img-{id}.png`; a segment has at most one parameter,
/// - `{*rest}` takes all that is left, slashes too, and stands at the end,
/// - no parameter takes nothing, and a final slash counts,
/// - `{{` and `}}` are braces.
///
/// The rest of it is read as a plain path is: `/sp%20ace/{id}` takes what `/sp ace/{id}` takes.
pub struct Template {
    text: String,
    names: Vec<String>,
    /// With this template alone: which of several counts is for the ranks to say.
    matcher: matchit::Router<()>,
    literal: String,
    length: usize,
}

impl Template {
    /// Whether a path has a brace, so that it is a template where templates are read.
    pub(crate) fn is_one(path: &str) -> bool {
        path.contains(['{', '}'])
    }

    /// Reads a template.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("should start with: /".into());
        }
        let parts = parts(text)?;
        let decoded: Vec<Part> =
            parts.into_iter().map(Part::decoded).collect::<Option<_>>().ok_or("not UTF-8")?;
        let names = names(&decoded)?;
        let mut matcher = matchit::Router::new();
        let written: String = decoded.iter().map(Part::written).collect();
        // What is wrong has been found above, with its place.
        matcher.insert(written, ()).map_err(|error| error.to_string().to_lowercase())?;
        Ok(Self {
            text: text.to_owned(),
            names,
            matcher,
            literal: literal(&decoded),
            length: decoded.iter().map(Part::length).sum(),
        })
    }

    /// As it stands in the route.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What every path that matches starts with, decoded and on the wire alike.
    pub(super) fn literal(&self) -> &str {
        &self.literal
    }

    /// How many bytes of it are no parameters.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// Whether it takes the whole of a decoded path.
    pub(super) fn takes(&self, decoded: &str) -> bool {
        self.matcher.at(decoded).is_ok()
    }

    /// The parameters' values in a decoded path that it takes, in their order.
    pub(super) fn values<'p>(&self, decoded: &'p str) -> impl Iterator<Item = Option<&'p str>> {
        let params = self.matcher.at(decoded).ok().map(|found| found.params);
        self.names.iter().map(move |name| params.as_ref()?.get(name))
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text).finish()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Text that paths have as it stands.
    Literal(String),
    /// `{id}`, and where it stands.
    Parameter(String, usize),
    /// `{*rest}`.
    Rest(String, usize),
}

impl Part {
    /// The same in the form of decoded paths; nothing if that is no text.
    fn decoded(self) -> Option<Self> {
        let Self::Literal(text) = self else { return Some(self) };
        let mut octets = Vec::with_capacity(text.len());
        for piece in pieces(&text) {
            match piece {
                Piece::Escaped(octet) if is_reserved(octet) => octets.extend(format!("%{octet:02X}").bytes()),
                Piece::Escaped(octet) => octets.push(octet),
                Piece::Plain(text) => octets.extend(text.bytes()),
            }
        }
        String::from_utf8(octets).ok().map(Self::Literal)
    }

    /// As `matchit` reads it.
    fn written(&self) -> String {
        match self {
            Self::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
            Self::Parameter(name, _) => format!("{{{name}}}"),
            Self::Rest(name, _) => format!("{{*{name}}}"),
        }
    }

    const fn length(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Parameter(..) | Self::Rest(..) => 0,
        }
    }
}

/// Splits a template. Errors say at which character.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        literal.push_str(before);
        let place = text.len() - brace.len();
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            literal.extend(brace.chars().take(1));
            rest = after;
            continue;
        }
        let Some(inner) = brace.strip_prefix('{') else {
            return Err(wrong(text, place, "`}` closes nothing; a brace is written `}}`"));
        };
        let Some((name, after)) = inner.split_once('}') else {
            return Err(wrong(text, place, &format!("`{brace}` has no closing brace")));
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(parameter(name, after, text, place)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    one_a_segment(&parts, text)?;
    Ok(parts)
}

fn parameter(name: &str, after: &str, text: &str, place: usize) -> Result<Part, String> {
    let (bare, rest) = name.strip_prefix('*').map_or((name, false), |bare| (bare, true));
    if bare.is_empty() {
        return Err(wrong(text, place, "a parameter needs a name"));
    }
    if after.starts_with('}') || bare.contains(['*', '/', '{']) {
        return Err(wrong(
            text,
            place,
            &format!("`{{{name}` is no name: `*`, `/` and braces cannot stand in one"),
        ));
    }
    if rest && !(after.is_empty() && text.get(..place).is_some_and(|before| before.ends_with('/'))) {
        return Err(wrong(text, place, &format!("`{{{name}}}` must be the whole last segment")));
    }
    Ok(if rest { Part::Rest(bare.to_owned(), place) } else { Part::Parameter(bare.to_owned(), place) })
}

fn one_a_segment(parts: &[Part], text: &str) -> Result<(), String> {
    let mut taken = false;
    for part in parts {
        match part {
            Part::Literal(literal) => taken &= !literal.contains('/'),
            Part::Parameter(name, place) | Part::Rest(name, place) if taken => {
                return Err(wrong(
                    text,
                    *place,
                    &format!("`{{{name}}}` is the second parameter of its segment"),
                ));
            }
            Part::Parameter(..) | Part::Rest(..) => taken = true,
        }
    }
    Ok(())
}

fn names(parts: &[Part]) -> Result<Vec<String>, String> {
    let parameters = parts.iter().filter_map(|part| match part {
        Part::Literal(_) => None,
        Part::Parameter(name, _) | Part::Rest(name, _) => Some(name.clone()),
    });
    let names: Vec<String> = parameters.collect();
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(format!("the parameter `{twice}` stands twice"));
    }
    if names.len() > MOST_PARAMETERS {
        return Err(format!("{} parameters are more than {MOST_PARAMETERS}", names.len()));
    }
    Ok(names)
}

fn literal(parts: &[Part]) -> String {
    let Some(Part::Literal(text)) = parts.first() else { return String::new() };
    text.bytes().take_while(|byte| stands_plain(*byte) && *byte != b'%').map(char::from).collect()
}

fn wrong(text: &str, place: usize, what: &str) -> String {
    let before = text.get(..place).unwrap_or_default();
    format!("at character {}: {what}", before.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        let template = Template::new(template).unwrap();
        let values = template.values(path).map(|value| value.map(str::to_owned)).collect::<Option<Vec<_>>>();
        template.takes(path).then(|| values.unwrap())
    }

    #[test]
    fn a_parameter_takes_a_segment_or_a_part_of_one() {
        assert_eq!(values("/users/{id}", "/users/7"), Some(vec!["7".into()]));
        assert_eq!(
            values("/users/{id}/posts/{post}", "/users/7/posts/x"),
            Some(vec!["7".into(), "x".into()])
        );
        assert_eq!(values("/img-{id}.png", "/img-a.b.png"), Some(vec!["a.b".into()]));
        for path in ["/users", "/users/", "/users/7/", "/users/7/x", "/user/7"] {
            assert_eq!(values("/users/{id}", path), None, "{path}");
        }
        assert_eq!(values("/users/{id}/", "/users/7/"), Some(vec!["7".into()]), "a final slash counts");
    }

    #[test]
    fn a_rest_takes_slashes_and_never_nothing() {
        assert_eq!(values("/files/{*rest}", "/files/a/b/"), Some(vec!["a/b/".into()]));
        assert_eq!(values("/files/{*rest}", "/files/"), None);
        assert_eq!(values("/{*all}", "/x"), Some(vec!["x".into()]));
    }

    #[test]
    fn braces_and_escapes_in_its_text() {
        assert_eq!(values("/{{id}}", "/{id}"), Some(vec![]));
        assert_eq!(values("/%7Bid%7D/{x}", "/{id}/1"), Some(vec!["1".into()]));
        assert_eq!(values("/sp%20ace/{x}", "/sp ace/1"), Some(vec!["1".into()]));
        assert_eq!(values("/a%2fb/{x}", "/a%2Fb/1"), Some(vec!["1".into()]));
        assert_eq!(values("/ü{x}", "/üü"), Some(vec!["ü".into()]));
    }

    #[test]
    fn it_knows_its_start_its_length_and_its_names() {
        let template = Template::new("/sp ace/{a}-x/{*b}").unwrap();
        assert_eq!((template.literal(), template.length()), ("/sp", 11));
        assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(template.to_string(), "/sp ace/{a}-x/{*b}");
        assert_eq!(Template::new("/{a}").unwrap().literal(), "/");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, message) in [
            ("x/{id}", "should start with: /"),
            ("/ü/{id", "at character 4: `{id` has no closing brace"),
            ("/a}", "at character 3: `}` closes nothing; a brace is written `}}`"),
            ("/{}", "at character 2: a parameter needs a name"),
            ("/{*}", "at character 2: a parameter needs a name"),
            ("/{a/b}", "at character 2: `{a/b` is no name: `*`, `/` and braces cannot stand in one"),
            ("/{a}}", "at character 2: `{a` is no name: `*`, `/` and braces cannot stand in one"),
            ("/{*a}/b", "at character 2: `{*a}` must be the whole last segment"),
            ("/x{*a}", "at character 3: `{*a}` must be the whole last segment"),
            ("/{a}-{b}", "at character 6: `{b}` is the second parameter of its segment"),
            ("/{a}/{a}", "the parameter `a` stands twice"),
            ("/%ff/{a}", "not UTF-8"),
        ] {
            assert_eq!(Template::new(text).unwrap_err(), message, "{text}");
        }
        let many: String = (0..26).map(|n| format!("/{{p{n}}}")).collect();
        assert_eq!(Template::new(&many).unwrap_err(), "26 parameters are more than 25");
    }
}
