//! Files of plugins.

use std::path::Path;

use crate::{LoadError, files};

/// The bytes of a file of at most `limit` bytes. One that is larger is not read.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::File { path: path.to_owned(), source };
    files::bytes(path, limit).map_err(failed)?.map_err(|wanted| {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        LoadError::Limit { what: "the module's size in bytes", wanted, limit }
    })
}
