//! Where templates find their values.

use plugin_sdk::prelude::*;

use crate::template::Source;

/// Where templates find their values: a request as it was before this plugin.
#[derive(Default)]
pub(crate) struct Places {
    headers: Vec<(String, String)>,
    query: Query,
    captures: Option<Request>,
}

impl Places {
    pub(crate) fn of(request: &Request) -> Self {
        let target = request.upstream_path_and_query();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        Self { headers: request.headers(), query: Query::parse(query), captures: Some(request.clone()) }
    }

    pub(crate) fn find(&self, source: Source, name: &str) -> Option<String> {
        match source {
            Source::Headers => self.header(name),
            Source::Query => self.query.get(name).map(str::to_owned),
            Source::Captures => {
                let value = self.captures.as_ref()?.property(&["uri_captures", name])?;
                String::from_utf8(value).ok()
            }
            Source::Shared => String::from_utf8(var::get(name).ok()??).ok(),
        }
    }

    /// A field by its name, in which `_` may stand for `-`, as in Kong. The name with dashes comes first: a client may send
    /// one with `_` beside what a plugin has found out of it.
    fn header(&self, name: &str) -> Option<String> {
        let find = |name: &str| {
            let field = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            field.map(|(_, value)| value.clone())
        };
        find(&name.replace('_', "-")).or_else(|| find(name))
    }
}
