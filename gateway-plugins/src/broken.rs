//! What stands in the place of a plugin whose file is broken.

use std::path::Path;

use gateway_core::{
    config::schema::Record,
    plugin::{Configured, Plugin},
};
use serde_json::Value;

use crate::LoadError;

/// Stands in the place of a plugin whose file is broken, by the name of the file: nothing happens until a configuration
/// names it, which is refused with the reason. So nothing else of the same name serves in its place unseen.
pub(crate) struct Broken {
    name: String,
    schema: Record,
    reason: String,
}

impl Broken {
    /// For the file at `path`.
    pub(crate) fn new(path: &Path, error: &LoadError) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        let reason = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        // What a file begins with in place of WebAssembly is told byte by byte, a line each.
        let first = reason.lines().next().unwrap_or_default();
        let reason = first.trim_end_matches(" - expected=[").to_owned();
        Self { name, schema: Record::default().open(), reason }
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

impl Plugin for Broken {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        0
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Err(self.reason.clone())
    }
}
