//! A file beside plugins that says where one comes from.

use std::path::Path;

use serde::Deserialize;

use crate::{Fetcher, LoadError, Source, files};

/// What a file `NAME.toml` in a folder with plugins says: where the plugin NAME comes from.
///
/// ```toml
/// source = "https://plugins.example.com/geo-1.4.0.wasm"
/// sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    source: String,
    sha256: Option<String>,
}

/// Bytes of such a file.
const MOST: usize = 64 << 10;

impl Delivery {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let refused = |problem| LoadError::Delivery { path: path.to_owned(), problem };
        let text = String::from_utf8(files::read(path, MOST)?).map_err(|error| refused(error.to_string()))?;
        toml::from_str(&text).map_err(|error| refused(error.message().to_owned()))
    }

    /// The module. Where it is a file, its path is taken from the folder that the delivery is in.
    pub(crate) fn module(&self, path: &Path, fetcher: &Fetcher) -> Result<Vec<u8>, LoadError> {
        let fetch = |source: Source| fetcher.fetch(&source.within(path.parent().unwrap_or(path)));
        let fetched = Source::pinned(&self.source, self.sha256.as_deref()).and_then(fetch);
        fetched.map_err(|source| LoadError::Fetch { from: self.source.clone(), source })
    }
}
