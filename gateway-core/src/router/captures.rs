//! What an expression or a template takes out of a path.

use std::borrow::Cow;

use regex::{CaptureLocations, Regex};

use super::{path::decoded, template::Template};

/// What took a path that is more than a plain prefix.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum PathPattern<'r> {
    /// A regular expression over the decoded path.
    Regex(&'r Regex),
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
    Regex(&'r Regex, CaptureLocations),
    Template(&'r Template),
}

impl<'r, 'p> Captures<'r, 'p> {
    /// The captures of `pattern` in a canonical path.
    pub(super) fn new(pattern: PathPattern<'r>, path: &'p str) -> Option<Self> {
        let path = decoded(path);
        let groups = match pattern {
            PathPattern::Regex(regex) => {
                let mut groups = regex.capture_locations();
                regex.captures_read(&mut groups, &path)?;
                Groups::Regex(regex, groups)
            }
            PathPattern::Template(template) => template.takes(&path).then_some(Groups::Template(template))?,
        };
        Some(Self { path, groups })
    }

    /// The group or parameter of this number, decoded; 0 is the whole match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&str> {
        match (&self.groups, group.checked_sub(1)) {
            (Groups::Regex(_, groups), _) => {
                groups.get(group).and_then(|(start, end)| self.path.get(start..end))
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
        let (regex, template) = match &self.groups {
            Groups::Regex(regex, _) => (Some(*regex), None),
            Groups::Template(template) => (None, Some(*template)),
        };
        let groups = regex.into_iter().flat_map(|regex| regex.capture_names().enumerate().skip(1));
        let groups = groups.map(|(group, name)| (name, self.get(group)));
        let parameters =
            template.into_iter().flat_map(|template| template.names().zip(template.values(&self.path)));
        groups.chain(parameters.map(|(name, value)| (Some(name), value)))
    }
}
