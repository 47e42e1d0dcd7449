//! What an expression or a template takes out of a path.

use std::borrow::Cow;

use regex_automata::util::captures::Captures as Spans;

use super::{path::decoded, path_regex::PathRegex, search_regex::SearchRegex, template::Template};

/// What took a path that is more than a plain prefix, over its decoded form.
#[derive(Clone, Copy, Debug)]
pub(super) enum PathPattern<'r> {
    /// A regular expression of a route's paths.
    Path(&'r PathRegex),
    /// One within an expression.
    Search(&'r SearchRegex),
    /// A template, which takes the whole path.
    Template(&'r Template),
}

/// What an expression or a template took out of a path: its groups by number, or its parameters in their order, and
/// both by name.
#[derive(Debug)]
pub struct Captures<'r, 'p> {
    path: Cow<'p, str>,
    groups: Groups<'r>,
}

#[derive(Debug)]
enum Groups<'r> {
    Path(&'r PathRegex, Spans),
    Search(&'r SearchRegex, Spans),
    Template(&'r Template),
}

impl<'r, 'p> Captures<'r, 'p> {
    /// The captures of `pattern` in a canonical path.
    pub(super) fn new(pattern: PathPattern<'r>, path: &'p str) -> Option<Self> {
        let path = decoded(path);
        let groups = match pattern {
            PathPattern::Path(regex) => Groups::Path(regex, regex.captures(&path)?),
            PathPattern::Search(regex) => Groups::Search(regex, regex.captures(&path)?),
            PathPattern::Template(template) => template.takes(&path).then_some(Groups::Template(template))?,
        };
        Some(Self { path, groups })
    }

    /// The group or parameter of this number, decoded; 0 is the whole match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&str> {
        match (&self.groups, group.checked_sub(1)) {
            (Groups::Path(_, groups) | Groups::Search(_, groups), _) => {
                groups.get_group(group).and_then(|span| self.path.get(span.range()))
            }
            (Groups::Template(_), None) => Some(&self.path),
            (Groups::Template(template), Some(parameter)) => template.values(&self.path).nth(parameter)?,
        }
    }

    /// The group or parameter of this name, decoded.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(own, value)| if own == Some(name) { value } else { None })
    }

    /// All groups or parameters from number 1 on, with their names and values; a group that took no part has no
    /// value.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&'r str>, Option<&str>)> {
        self.names().enumerate().map(|(at, name)| (name, self.get(at + 1)))
    }

    fn names(&self) -> Box<dyn Iterator<Item = Option<&'r str>> + 'r> {
        match self.groups {
            Groups::Path(regex, _) => Box::new(regex.names().skip(1)),
            Groups::Search(regex, _) => Box::new(regex.names().skip(1)),
            Groups::Template(template) => Box::new(template.names().map(Some)),
        }
    }
}
