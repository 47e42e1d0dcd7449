//! Files of a store: for their owner only, never lost by a name.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::times;

/// Makes a directory if it is not there, for the owner only. One that others may write to is refused: what stands in it is
/// served.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    let name = path.display();
    if path.is_file() {
        return Err(io::Error::other(format!("{name} is a file, a folder is expected")));
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    if fs::metadata(path)?.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("others may write to {name} (chmod 700)")));
    }
    Ok(())
}

/// For the owner only: secrets stand in it.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A file that was renamed is there after a power failure once its directory is.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// Renames a file, and tells to what: it may still be of use to somebody.
pub(super) fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let now = times::unix();
    let names = (0..u32::MAX).map(|number| match number {
        0 => file.with_file_name(format!("{name}.damaged-{now}")),
        number => file.with_file_name(format!("{name}.damaged-{now}-{number}")),
    });
    let aside = names.into_iter().find(|aside| !aside.exists()).unwrap_or_default();
    fs::rename(file, &aside)?;
    sync_directory(&aside)?;
    Ok(aside)
}

/// What stands in a file; nothing if there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
