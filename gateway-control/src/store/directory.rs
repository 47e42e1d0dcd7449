//! The directory of a store, and who has it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{StoreError, files};

/// The directory of a store, which is this process's until dropped.
pub(super) struct Directory {
    path: PathBuf,
    /// The lock ends with the file, however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes it if it is not there, for the owner only, and takes it.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        files::directory(path)?;
        FILES.iter().try_for_each(|file| regular(&path.join(file)))?;
        let mut options = OpenOptions::new();
        let mut lock = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { directory: path.to_owned(), process: holder(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        lock.set_len(0)?;
        write!(lock, "{}", std::process::id())?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The copy of a database elsewhere.
    #[cfg(feature = "postgres")]
    pub(super) fn postgres(&self) -> PathBuf {
        self.path.join("postgres.jsonl")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store.redb")
    }

    pub(super) fn copy(&self) -> PathBuf {
        self.path.join("copy.jsonl")
    }
}

/// The files of a store.
const FILES: [&str; 6] = ["lock", "store.redb", "copy.jsonl", "copy.new", "postgres.jsonl", "postgres.new"];

/// Refuses what is there and no file: whoever opens a pipe waits until somebody writes, without an end.
fn regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(io::Error::other(format!("{} is no regular file", path.display())))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Who wrote its number there.
fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
