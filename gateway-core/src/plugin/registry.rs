//! Which plugins there are.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value;

use super::{ChainLayer, Handler, Policy, Reading};
use crate::config::{self, schema::Record};

/// A kind of plugin: a name, a place in the order, a table of config fields, and a factory.
pub trait Plugin: Send + Sync + 'static {
    /// The name that `plugins:` entries use.
    fn name(&self) -> &str;

    /// Place in the chain: higher runs first. Kong's plugins keep Kong's numbers.
    fn priority(&self) -> i32;

    /// Its version, shown by the Admin API.
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// What there is to see of it at this moment, over all its configurations.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }

    /// The fields of its `config`: what they take, their defaults, what they mean.
    fn schema(&self) -> &Record;

    /// Makes a handler of one `config`, which has passed [`schema`](Self::schema) and has its
    /// defaults filled in.
    ///
    /// # Errors
    /// What the table of fields cannot say: a regular expression that does not parse, a file
    /// that cannot be opened. The text names the field.
    fn configure(&self, config: &Value) -> Result<Configured, String>;

    /// The same, for a plugin that asks which entity it is configured by: its id, and where it applies.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    fn configure_entity(&self, entity: &config::Plugin) -> Result<Configured, String> {
        self.configure(&entity.config)
    }

    /// The same where an entity changes: `before` is what this plugin made of it so far, and may hold what is worth
    /// keeping. By default nothing is taken over.
    ///
    /// # Errors
    /// As [`configure`](Self::configure). `before` may go on then, as nothing has changed.
    fn reconfigure(&self, entity: &config::Plugin, before: &Configured) -> Result<Configured, String> {
        let _ = before;
        self.configure_entity(entity)
    }
}

/// What a plugin contributes to the chain.
#[derive(Clone)]
#[non_exhaustive]
pub enum Configured {
    /// Phases.
    Handler(Arc<dyn Handler>),
    /// A Tower layer around everything of lower priority, the forwarder included.
    Layer(Arc<dyn ChainLayer>),
    /// A say in how requests are forwarded, at the inner end of the chain.
    Policy(Arc<dyn Policy>),
}

impl Configured {
    /// A handler.
    pub fn handler(handler: impl Handler) -> Self {
        Self::Handler(Arc::new(handler))
    }

    /// A policy.
    pub fn policy(policy: impl Policy) -> Self {
        Self::Policy(Arc::new(policy))
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handler(_) => "Handler",
            Self::Layer(_) => "Layer",
            Self::Policy(_) => "Policy",
        })
    }
}

/// The plugins that configurations may name.
#[derive(Clone, Default)]
pub struct Registry {
    plugins: BTreeMap<String, Arc<dyn Plugin>>,
}

impl Registry {
    /// No plugins.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds `plugin`, in place of one with the same name.
    #[must_use]
    pub fn with(mut self, plugin: impl Plugin) -> Self {
        self.plugins.insert(plugin.name().to_owned(), Arc::new(plugin));
        self
    }

    /// The same for a plugin that another registry has, too.
    #[must_use]
    pub fn with_shared(mut self, plugin: Arc<dyn Plugin>) -> Self {
        self.plugins.insert(plugin.name().to_owned(), plugin);
        self
    }

    /// Whether the plugin of this name is the very one that `other` has.
    pub(crate) fn has_that_of(&self, other: &Self, name: &str) -> bool {
        match (self.get(name), other.get(name)) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            _ => false,
        }
    }

    /// The plugin named `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Plugin>> {
        self.plugins.get(name)
    }

    /// All plugins by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Plugin>> {
        self.plugins.values()
    }
}

impl config::schema::PluginSchemas for Arc<Registry> {
    fn schema(&self, name: &str) -> Option<&Record> {
        Registry::schema(self, name)
    }

    fn names(&self) -> Vec<String> {
        Registry::names(self)
    }
}

impl config::schema::PluginSchemas for Registry {
    fn schema(&self, name: &str) -> Option<&Record> {
        self.get(name).map(|plugin| plugin.schema())
    }

    fn names(&self) -> Vec<String> {
        self.plugins.keys().cloned().collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.plugins.keys()).finish()
    }
}
