//! Why a store did not do what was asked.

use std::{io, path::PathBuf};

use super::Revision;

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else was faster: nothing was kept. Read what is new, and decide again.
    #[error("the configuration has changed meanwhile: the newest revision is {newest}")]
    Conflict {
        /// The newest revision.
        newest: Revision,
    },
    /// What is kept cannot be understood.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Another process has it.
    #[error("{} is in use by {}", directory.display(), user(*process))]
    Locked {
        /// Where it is.
        directory: PathBuf,
        /// The process that has it, if it is known.
        process: Option<u32>,
    },
    /// It cannot be reached, or not now, or not by this version. Whether a change that was under way is kept is not
    /// known: the next read tells.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The system refused. Whether a change that was under way is kept is not known: the next read tells.
    #[error("the store cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

fn user(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}
