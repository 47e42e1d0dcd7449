//! Where the lines of the access log go.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// Where the lines of the access log go.
#[non_exhaustive]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of this file, which is made if it is missing.
    File(PathBuf),
    /// The same, but it is made with the first lines: to open it leaves no trace.
    FileOnceWritten(PathBuf),
    /// Any other place.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::Stderr => f.write_str("Stderr"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::FileOnceWritten(path) => f.debug_tuple("FileOnceWritten").field(path).finish(),
            Self::Writer(_) => f.write_str("Writer"),
        }
    }
}

/// A sink that is open.
pub(super) struct Open {
    path: Option<PathBuf>,
    /// None for a file that is not made yet.
    writer: Option<Box<dyn Write + Send>>,
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
            Self::FileOnceWritten(path) => {
                let writer = append_to_present(&path)?.map(|file| Box::new(file) as _);
                return Ok(Open { path: Some(path), writer });
            }
        };
        Ok(Open { path, writer: Some(writer) })
    }
}

impl Open {
    /// Opens the file of this name anew, after somebody moved the old one away. Without success the
    /// old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.writer = Some(Box::new(append(path)?));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.writer.is_none() {
            self.reopen()?;
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write_all(lines)?;
        writer.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// None where the file is missing, and can be made as far as its folder goes.
fn append_to_present(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            access(folder.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK)?;
            Ok(None)
        }
        opened => opened.map(Some),
    }
}
