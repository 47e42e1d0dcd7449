//! Values with places that are filled in for each request: `Bearer $(headers.x_token or "none")`.
//!
//! Kong's are Lua; these have the part of it that stands in nearly all of them:
//!
//! ```text
//! template = { text | "$(" term { "or" term } ")" }
//! term     = ("headers" | "query_params" | "uri_captures" | "shared") place | '"' text '"' | "'" text "'"
//! place    = "." name | "[" ('"' text '"' | "'" text "'" | number) "]"
//! ```

use std::borrow::Cow;

/// A value, read once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The first of these that is there.
    Filled(Vec<Term>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Text(String),
    Place(Source, String),
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Headers,
    Query,
    Captures,
    Shared,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is none, in Kong's words as far as it goes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |error: &str| format!("value '{text}' is not in supported format, error:{error}");
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("$(") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (terms, after) = terms(after).map_err(|error| refused(&error))?;
            parts.push(Part::Filled(terms));
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The value for a request, where `find` looks places up. What is nowhere is empty.
    pub(crate) fn render<'t>(&'t self, find: impl Fn(Source, &str) -> Option<String>) -> Cow<'t, str> {
        if let [Part::Text(text)] = &self.0[..] {
            return Cow::Borrowed(text);
        }
        let mut value = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => value.push_str(text),
                Part::Filled(terms) => {
                    let found = terms.iter().find_map(|term| match term {
                        Term::Text(text) => Some(text.clone()),
                        Term::Place(source, name) => find(*source, name),
                    });
                    value.push_str(found.as_deref().unwrap_or_default());
                }
            }
        }
        Cow::Owned(value)
    }

    /// Whether it is the same for each request.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.0[..], [Part::Text(_)])
    }
}

/// The terms up to the closing parenthesis, and what follows it.
fn terms(text: &str) -> Result<(Vec<Term>, &str), String> {
    let (mut terms, mut rest) = (Vec::new(), text);
    loop {
        let (term, after) = term(rest.trim_start())?;
        terms.push(term);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((terms, after));
        }
        rest = match rest.strip_prefix("or") {
            Some(after) if !after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_') => {
                after
            }
            _ => return Err(format!("expected `or` or `)` at '{rest}'")),
        };
    }
}

fn term(text: &str) -> Result<(Term, &str), String> {
    if text.starts_with(['"', '\'']) {
        return quoted(text).map(|(text, rest)| (Term::Text(text.to_owned()), rest));
    }
    let (word, rest) = word(text);
    let source = match word {
        "headers" => Source::Headers,
        "query_params" => Source::Query,
        "uri_captures" => Source::Captures,
        "shared" => Source::Shared,
        _ => {
            return Err(format!(
                "expected headers, query_params, uri_captures, shared or a text at '{text}': Lua is not run"
            ));
        }
    };
    let (name, rest) = place(rest)?;
    Ok((Term::Place(source, name.to_owned()), rest))
}

/// The name of a place.
fn place(text: &str) -> Result<(&str, &str), String> {
    let missing = || format!("expected a name at '{text}'");
    if let Some(rest) = text.strip_prefix('.') {
        let (name, rest) = word(rest);
        return if name.is_empty() { Err(missing()) } else { Ok((name, rest)) };
    }
    let inside = text.strip_prefix('[').ok_or_else(missing)?.trim_start();
    let (name, rest) = if inside.starts_with(['"', '\'']) { quoted(inside)? } else { word(inside) };
    let rest = rest.trim_start().strip_prefix(']').ok_or_else(missing)?;
    if name.is_empty() { Err(missing()) } else { Ok((name, rest)) }
}

/// Letters, digits and `_`, and what follows.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// What stands between two quotes, and what follows. Nothing is escaped in it.
fn quoted(text: &str) -> Result<(&str, &str), String> {
    let open = || format!("expected a closing quote in '{text}'");
    let quote = text.chars().next().ok_or_else(open)?;
    let inside = text.get(1..).ok_or_else(open)?;
    inside.split_once(quote).ok_or_else(open)
}

#[cfg(test)]
mod tests {
    use super::{Source, Template};

    fn rendered(template: &str) -> String {
        let find = |source, name: &str| match (source, name) {
            (Source::Headers, "host") => Some("a.example".to_owned()),
            (Source::Headers, "x-user") => Some("alice".to_owned()),
            (Source::Query, "page") => Some("2".to_owned()),
            (Source::Captures, "id" | "1") => Some("7".to_owned()),
            (Source::Shared, "mood") => Some("fine".to_owned()),
            _ => None,
        };
        Template::parse(template).unwrap().render(find).into_owned()
    }

    #[test]
    fn places_are_filled_in() {
        for (template, value) in [
            ("plain $ text ()", "plain $ text ()"),
            ("$(headers.host)", "a.example"),
            ("$(headers[\"x-user\"])!", "alice!"),
            ("/users/$(uri_captures.id)/$(uri_captures[1])", "/users/7/7"),
            ("$(query_params['page'])", "2"),
            ("$( shared.mood )", "fine"),
            ("$(headers.none or query_params.none or 'a ) b')", "a ) b"),
            ("$(headers.none or headers.host)", "a.example"),
            ("<$(headers.none)>", "<>"),
        ] {
            assert_eq!(rendered(template), value, "{template}");
        }
    }

    #[test]
    fn lua_and_what_is_broken_off_are_refused() {
        for (template, error) in [
            ("$(os.getenv('HOME'))", "expected headers, query_params, uri_captures, shared or a text"),
            ("$((function() return 1 end)())", "Lua is not run"),
            ("$(headers)", "expected a name at ')'"),
            ("$(headers.)", "expected a name at '.)'"),
            ("$(headers.a", "expected `or` or `)` at ''"),
            ("$(headers.a .. 'b')", "expected `or` or `)` at '.. 'b')'"),
            ("$('a)", "expected a closing quote"),
            ("$(headers['a)", "expected a closing quote"),
            ("$(headers['a')", "expected a name"),
            ("$(headers.a orb)", "expected `or` or `)`"),
            ("$()", "Lua is not run"),
        ] {
            let refused = Template::parse(template).unwrap_err();
            assert!(refused.starts_with(&format!("value '{template}' is not in supported format, error:")));
            assert!(refused.contains(error), "{refused}");
        }
    }
}
