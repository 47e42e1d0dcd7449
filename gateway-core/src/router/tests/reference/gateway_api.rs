//! `gateway_api`: the list of `HTTPRoute`, word by word.

use super::Part;

impl Part<'_> {
    pub(super) fn gateway_api(&self) -> Vec<u128> {
        let host = match self.host {
            None => 0,
            Some(host) if host.starts_with('*') => host.split(':').next().unwrap().len() as u128,
            Some(_) => u128::MAX,
        };
        let path = if self.is_exact() { 2 } else { self.is_regex().into() };
        let length = match self.path {
            _ if self.is_exact() => 0,
            None => 1,
            Some(path) if !self.is_regex() => path.trim_end_matches('/').len().max(1) as u128,
            Some(_) => self.length(),
        };
        let regex_priority = if self.is_exact() { 0 } else { self.regex_priority() };
        let method = self.route.methods.is_some().into();
        let queries = self.route.queries.as_ref().map_or(0, |queries| queries.len() as u128);
        vec![host, path, regex_priority, length, method, self.headers(), queries, self.age()]
    }

    /// `~/x$`: letters and slashes between `~` and `$`.
    fn is_exact(&self) -> bool {
        let text = self.path.and_then(|path| path.strip_prefix('~')?.strip_suffix('$'));
        text.is_some_and(|text| text.chars().all(|letter| letter.is_alphabetic() || "/ ".contains(letter)))
    }
}
