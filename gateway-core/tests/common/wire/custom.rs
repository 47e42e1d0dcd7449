//! A plugin of a test's own.

use gateway_core::{
    config::schema::{Field, Record},
    plugin::{Configured, Handler, Plugin},
};

/// How a [`Custom`] plugin is configured.
type Configure = dyn Fn(&serde_json::Value) -> Result<Configured, String> + Send + Sync;

/// A plugin of a test's own.
pub struct Custom {
    name: &'static str,
    priority: i32,
    configure: Box<Configure>,
    schema: Record,
}

impl Custom {
    pub fn new<H: Handler>(
        name: &'static str,
        priority: i32,
        configure: impl Fn(&serde_json::Value) -> Result<H, String> + Send + Sync + 'static,
    ) -> Self {
        let configure =
            Box::new(move |config: &serde_json::Value| configure(config).map(Configured::handler));
        Self { name, priority, configure, schema: Record::default() }
    }

    /// The same with these fields in its `config`.
    pub fn taking(mut self, fields: Vec<Field>) -> Self {
        self.schema = Record::new(fields);
        self
    }
}

impl Plugin for Custom {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &serde_json::Value) -> Result<Configured, String> {
        (self.configure)(config)
    }
}
