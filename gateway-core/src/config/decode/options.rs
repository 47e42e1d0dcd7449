//! What reading a configuration needs to know.

use crate::config::schema::PluginSchemas;

/// Values of variables by name.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What reading a configuration needs to know: which plugins there are, and where secrets come
/// from.
///
/// ```
/// use gateway_core::{config::Options, plugin::Registry};
///
/// let registry = Registry::empty();
/// let environment = |name: &str| (name == "DB_PASSWORD").then(|| "s3cret".to_owned());
/// let options = Options::new(&registry).environment(&environment);
/// ```
#[derive(Clone, Copy)]
pub struct Options<'a> {
    pub(super) plugins: &'a dyn PluginSchemas,
    pub(super) environment: Option<&'a Environment<'a>>,
}

impl<'a> Options<'a> {
    /// These plugins; `{vault://env/...}` reads the environment of the process.
    #[must_use]
    pub fn new(plugins: &'a dyn PluginSchemas) -> Self {
        Self { plugins, environment: Some(&process_environment) }
    }

    /// The same, with another environment for `{vault://env/...}`.
    #[must_use]
    pub fn environment(mut self, lookup: &'a Environment<'a>) -> Self {
        self.environment = Some(lookup);
        self
    }

    /// The same, with `{vault://...}` left as it stands: for stores and for tools that write the
    /// configuration out again. What stands behind it is not checked.
    #[must_use]
    pub fn keep_references(mut self) -> Self {
        self.environment = None;
        self
    }
}

fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl<'a, P: PluginSchemas> From<&'a P> for Options<'a> {
    fn from(plugins: &'a P) -> Self {
        Self::new(plugins)
    }
}

impl<'a> From<&'a dyn PluginSchemas> for Options<'a> {
    fn from(plugins: &'a dyn PluginSchemas) -> Self {
        Self::new(plugins)
    }
}
