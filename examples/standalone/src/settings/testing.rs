//! Files for tests.

use std::{fs, path::PathBuf};

/// A file of settings.
pub(super) fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gateway-{}-{name}.toml", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}
