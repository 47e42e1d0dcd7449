//! Compiled code, kept in a folder.

use std::{
    fs,
    io::{self, Error},
    path::Path,
};
#[cfg(unix)]
use std::{
    fs::Metadata,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
};

use wasmtime::{Cache, CacheConfig};

use crate::LoadError;

/// The cache in `folder`, which is made where it is not there.
///
/// What lies there is run as it is: nobody else may write to it, or have written to it, or look into it from now on. The engine keeps each module's code under a hash of the
/// module, of its own version and of its settings, and removes what was not used for long.
///
/// # Errors
/// A folder that cannot be made, that others may write to, or in which something is another's.
pub(crate) fn open(folder: &Path) -> Result<Cache, LoadError> {
    let refused = |source| LoadError::Cache { path: folder.to_owned(), source };
    private(folder).map_err(refused)?;
    let mut config = CacheConfig::new();
    config.with_directory(folder.canonicalize().map_err(refused)?);
    Cache::new(config).map_err(|error| refused(Error::other(format!("{error:#}"))))
}

/// A folder that is ours alone, with all that is in it.
#[cfg(unix)]
fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let kept = fs::metadata(folder)?;
    if kept.mode() & 0o022 != 0 {
        return Err(Error::other("others may write to it (it has to be ours alone: chmod 700)"));
    }
    let user = user(folder)?;
    owned(&kept, user)?;
    if kept.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    all_owned(folder, user)
}

/// Who we are: a file that was not there before is ours.
#[cfg(unix)]
fn user(folder: &Path) -> io::Result<u32> {
    let mark = folder.join(format!(".ours-{}", uuid::Uuid::new_v4()));
    let user = fs::File::create_new(&mark)?.metadata()?.uid();
    fs::remove_file(&mark)?;
    Ok(user)
}

/// Whether all that lies in a folder is this user's. Where others could write once, their code may still lie there.
#[cfg(unix)]
fn all_owned(folder: &Path, user: u32) -> io::Result<()> {
    fs::read_dir(folder)?.try_for_each(|entry| {
        let entry = entry?;
        // Another process of ours may have taken it out meanwhile.
        let kept = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            kept => kept?,
        };
        owned(&kept, user)?;
        if kept.is_dir() { all_owned(&entry.path(), user) } else { Ok(()) }
    })
}

#[cfg(unix)]
fn owned(kept: &Metadata, user: u32) -> io::Result<()> {
    let refused = || Error::other("not all of it is ours (it has to be: remove it, and it is made anew)");
    (kept.uid() == user && !kept.is_symlink()).then_some(()).ok_or_else(refused)
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
        let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let refused = || matches!(Engine::cached(&folder), Err(LoadError::Cache { .. }));
        mode(0o777);
        assert!(refused());
        mode(0o755);
        assert!(!refused());
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        // What it leads to may become another's.
        std::os::unix::fs::symlink(&folder, folder.join("modules").join("planted")).unwrap();
        assert!(refused());
        // The engine's own thread may still write statistics there.
        let _ = fs::remove_dir_all(folder);
    }
}
