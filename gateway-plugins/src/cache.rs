//! Compiled code, kept in a folder.

use std::{fs, io, path::Path};

use wasmtime::{Cache, CacheConfig};

use crate::LoadError;

/// The cache in `folder`, which is made where it is not there.
///
/// What lies there is run as it is: nobody else may write to it. The engine keeps each module's code under a hash of the
/// module, of its own version and of its settings, and removes what was not used for long.
///
/// # Errors
/// A folder that cannot be made or that others may write to.
pub(crate) fn open(folder: &Path) -> Result<Cache, LoadError> {
    let refused = |source| LoadError::Cache { path: folder.to_owned(), source };
    private(folder).map_err(refused)?;
    let mut config = CacheConfig::new();
    config.with_directory(folder.canonicalize().map_err(refused)?);
    Cache::new(config).map_err(|error| refused(io::Error::other(format!("{error:#}"))))
}

/// A folder that is ours alone.
#[cfg(unix)]
fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Whoever we are, this file is ours.
    let mark = folder.join(format!(".ours-{}", std::process::id()));
    let ours = fs::write(&mark, "").and_then(|()| fs::metadata(&mark));
    fs::remove_file(&mark)?;
    let folder = fs::metadata(folder)?;
    if folder.uid() != ours?.uid() || folder.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it (it has to be ours alone: chmod 700)"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use crate::{Engine, Limits, LoadError, Module};

    #[test]
    fn code_is_kept_in_a_folder_that_is_ours_alone() {
        let folder = std::env::temp_dir().join(format!("gateway-cache-{}", std::process::id()));
        let module = include_bytes!("../bundled/key-auth.wasm");
        let files = || {
            let mut found = Vec::new();
            let mut folders = vec![folder.clone()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                    match entry.file_type().unwrap().is_dir() {
                        true => folders.push(entry.path()),
                        false => found.push(entry.path()),
                    }
                }
            }
            found
        };
        for _ in 0..2 {
            let engine = Engine::cached(&folder).unwrap();
            Module::new(&engine, module, &Limits::default()).unwrap();
            assert!(files().iter().any(|file| file.metadata().unwrap().len() > 10_000), "{:?}", files());
        }
        // What is no code is compiled anew.
        files().iter().for_each(|file| fs::write(file, "x").unwrap());
        Module::new(&Engine::cached(&folder).unwrap(), module, &Limits::default()).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Engine::cached(&folder), Err(LoadError::Cache { .. })));
        // The engine's own thread may still write statistics there.
        let _ = fs::remove_dir_all(folder);
    }
}
