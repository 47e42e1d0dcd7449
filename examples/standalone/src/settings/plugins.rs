//! Plugins that do not come with the gateway, and where they come from.

use std::{collections::BTreeMap, path::PathBuf};

use gateway_plugins::Isolation;
use serde::Deserialize;

/// Plugins in WebAssembly that do not come with the gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Plugins {
    pub(crate) search_path: Vec<PathBuf>,
    /// What each may do beside reading and writing messages, by its name.
    pub(crate) allow: BTreeMap<String, Vec<String>>,
    /// Who shares an instance of each, by its name; where nothing is said, all requests of a worker.
    pub(crate) isolation: BTreeMap<String, Isolation>,
    /// The folder that compiled code is kept in; an empty one: nowhere.
    pub(crate) cache: Option<PathBuf>,
    /// The folder that modules from elsewhere are kept in; an empty one: nowhere.
    pub(crate) fetched: Option<PathBuf>,
    /// Anchors of those whom modules are fetched from, PEM; the system's where there are none.
    pub(crate) ca: Option<PathBuf>,
    /// What is shown to registries and other servers, by their hosts.
    pub(crate) credentials: BTreeMap<String, Login>,
}

/// What somebody is known by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) username: String,
    /// A reference: `{vault://env/NAME}` or `{file:///path}`.
    pub(crate) password: Reference,
}

/// Where a secret is. It never stands in the settings itself.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Reference(String);

impl Reference {
    /// Without its braces.
    pub(crate) fn bare(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let known = |bare: &&str| bare.starts_with("vault://env/") || bare.starts_with("file:///");
        let bare = bare.filter(known).map(str::to_owned);
        // What is written there may be the secret itself: it is not told.
        bare.map(Self).ok_or_else(|| "a reference is {vault://env/NAME} or {file:///path}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn a_plugin_is_isolated_by_a_word_that_there_is() {
        let settings = |word: &str| {
            let text = format!("[plugins.isolation]\nof-a-tenant = '{word}'\n");
            text.parse::<toml::Table>().unwrap().try_into::<Settings>()
        };
        let isolation = settings("route").unwrap().plugins.isolation;
        assert_eq!(isolation["of-a-tenant"], gateway_plugins::Isolation::Route);
        let refused = settings("tenant").unwrap_err().to_string();
        assert!(refused.contains("tenant") && refused.contains("`request`"), "{refused}");
    }
}
