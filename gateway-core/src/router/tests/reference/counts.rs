//! What the lists of the flavours count.

use super::{Part, fits::regex};

impl Part<'_> {
    /// The older, the more.
    pub(super) fn age(&self) -> u128 {
        (u64::MAX - self.route.created_at).into()
    }

    /// Which fields are set, from the one that counts most in the manual.
    pub(super) fn kinds(&self) -> [bool; 7] {
        let route = self.route;
        [
            route.hosts.is_some(),
            route.headers.is_some(),
            route.paths.is_some(),
            route.methods.is_some(),
            route.snis.is_some(),
            route.sources.is_some(),
            route.destinations.is_some(),
        ]
    }

    pub(super) fn fields(&self) -> u128 {
        self.kinds().into_iter().map(u128::from).sum()
    }

    pub(super) fn plain_hosts(&self) -> bool {
        self.route.hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(|host| host.contains('*')))
    }

    pub(super) fn headers(&self) -> u128 {
        self.route.headers.as_ref().map_or(0, |headers| headers.len() as u128)
    }

    pub(super) fn is_template(&self) -> bool {
        let template = |path: &str| path.starts_with('/') && path.contains('{');
        self.dialect.path_templates && self.path.is_some_and(template)
    }

    pub(super) fn is_regex(&self) -> bool {
        self.is_template() || self.path.is_some_and(|path| path.starts_with('~'))
    }

    /// Moved so that the least is 0.
    pub(super) fn regex_priority(&self) -> u128 {
        let priority = if self.is_regex() { self.route.regex_priority } else { 0 };
        priority.abs_diff(i64::MIN).into()
    }

    /// Of a prefix, or of what is no parameter of a template.
    pub(super) fn length(&self) -> u128 {
        let path = self.path.unwrap_or_default();
        match (self.is_template(), self.is_regex()) {
            (true, _) => regex("[{][^}]*[}]").replace_all(path, "").len() as u128,
            (_, true) => 0,
            _ => path.len() as u128,
        }
    }
}
