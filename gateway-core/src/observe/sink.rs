//! Where the lines of the access log go.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where the lines of the access log go.
#[non_exhaustive]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of this file, which is made if it is missing.
    File(PathBuf),
    /// Any other place.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::Stderr => f.write_str("Stderr"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Writer(_) => f.write_str("Writer"),
        }
    }
}

/// A sink that is open.
pub(super) struct Open {
    path: Option<PathBuf>,
    writer: Box<dyn Write + Send>,
}

impl Sink {
    pub(super) fn open(self) -> io::Result<Open> {
        let (path, writer): (_, Box<dyn Write + Send>) = match self {
            Self::Stdout => (None, Box::new(io::stdout())),
            Self::Stderr => (None, Box::new(io::stderr())),
            Self::Writer(writer) => (None, writer),
            Self::File(path) => {
                let file = append(&path)?;
                (Some(path), Box::new(file))
            }
        };
        Ok(Open { path, writer })
    }
}

impl Open {
    /// Opens the file of this name anew, after somebody moved the old one away. Without success the
    /// old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.writer = Box::new(append(path)?);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.writer.write_all(lines)?;
        self.writer.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
