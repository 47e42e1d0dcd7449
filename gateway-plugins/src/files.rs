//! Modules in files.

use std::{fs, path::Path};

use crate::LoadError;

/// The bytes of a file of at most `limit` bytes. One that is larger is not read.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::File { path: path.to_owned(), source };
    let (size, limit) = (fs::metadata(path).map_err(failed)?.len(), limit as u64);
    if size > limit {
        return Err(LoadError::Limit { what: "the module's size in bytes", wanted: size, limit });
    }
    fs::read(path).map_err(failed)
}
