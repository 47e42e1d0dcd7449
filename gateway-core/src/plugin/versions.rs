//! Which version of a plugin took a request, where there are several side by side.

use std::sync::Arc;

use super::Exchange;

/// The versions that took a request, of plugins that have several. It stands in [`Exchange::extensions`] once a plugin has
/// called [`Exchange::note_version`]; logs show it as `plugin_versions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(Vec<(Arc<str>, Arc<str>)>);

impl Versions {
    /// Names of plugins, each with the version that was chosen.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(plugin, version)| (&**plugin, &**version))
    }
}

impl Exchange {
    /// Notes for the logs that of `plugin` this `version` takes the request.
    pub fn note_version(&mut self, plugin: &Arc<str>, version: &Arc<str>) {
        let noted = &mut self.extensions.get_or_insert_default::<Versions>().0;
        if !noted.iter().any(|(known, _)| known == plugin) {
            noted.push((Arc::clone(plugin), Arc::clone(version)));
        }
    }
}
