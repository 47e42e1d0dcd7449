//! A second file with the configuration: what a node falls back to.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use gateway_core::config::Change;
use serde::{Deserialize, Serialize};

use super::{Revision, Stored};

/// A second file with the configuration: a start, and the changes since, one JSON object a line, each behind a digest
/// of itself.
///
/// A change costs one line that is handed to the system, not to the disk: whoever is the first keeper of the
/// configuration makes it durable. When the changes are longer than the start, the file is written anew.
#[derive(Debug)]
pub(super) struct Copy {
    path: PathBuf,
    file: File,
    revision: Revision,
    /// Bytes of the start, and of the changes since.
    start: u64,
    since: u64,
}

/// What a copy has.
#[derive(Debug, PartialEq)]
pub(super) struct Loaded {
    pub(super) stored: Stored,
    /// Lines at the end that cannot be used.
    pub(super) lost: usize,
}

#[derive(Serialize, Deserialize)]
struct Line<C> {
    revision: Revision,
    change: C,
}

/// Changes shorter than this are not worth a new file.
const SHORT: u64 = 1 << 20;

impl Copy {
    /// Writes a copy anew: `documents` are changes as JSON, which make the configuration of `revision` out of nothing.
    /// Up to the end the one before stays.
    pub(super) fn start(
        path: &Path,
        revision: Revision,
        documents: impl IntoIterator<Item = String>,
    ) -> io::Result<Self> {
        let fresh = path.with_extension("new");
        let file = options().write(true).create(true).truncate(true).open(&fresh)?;
        let mut writer = BufWriter::new(file);
        let mut start = 0;
        // One line at least: it says the revision.
        let mut documents = documents.into_iter().peekable();
        if documents.peek().is_none() {
            start += put(&mut writer, revision, "{}")?;
        }
        for document in documents {
            start += put(&mut writer, revision, &document)?;
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, path)?;
        sync_directory(path)?;
        let file = options().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, revision, start, since: 0 })
    }

    /// Goes on with the copy at `path`, if its last line says `revision`.
    pub(super) fn resume(path: &Path, revision: Revision) -> io::Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if last(&text) != Some(revision) {
            return Ok(None);
        }
        let file = options().append(true).open(path)?;
        let start = start(&text);
        Ok(Some(Self { path: path.to_owned(), file, revision, start, since: text.len() as u64 - start }))
    }

    /// What the copy at `path` has, as far as it can be used; nothing if there is none or nothing in it.
    pub(super) fn load(path: &Path) -> io::Result<Option<Loaded>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut stored = Stored::default();
        let lines: Vec<_> = lines(&text).collect();
        let mut used = 0;
        for line in lines.iter().map_while(|line| understood::<Change>(line)) {
            stored = Stored::new(line.revision, stored.config.apply(&line.change));
            used += 1;
        }
        Ok((used > 0).then_some(Loaded { stored, lost: lines.len() - used }))
    }

    /// Adds the change, as JSON, that made `revision`.
    pub(super) fn append(&mut self, revision: Revision, document: &str) -> io::Result<()> {
        let mut line = Vec::new();
        self.since += put(&mut line, revision, document)?;
        self.file.write_all(&line)?;
        self.revision = revision;
        Ok(())
    }

    /// The revision of its last line.
    #[cfg(any(feature = "postgres", test))]
    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether it is time to write it anew.
    pub(super) const fn is_long(&self) -> bool {
        self.since > SHORT && self.since > self.start
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

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
fn options() -> OpenOptions {
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

/// Hexadecimal digits of the digest before each line.
const DIGITS: usize = 16;

fn sum(json: &[u8]) -> String {
    let digest = digest(&SHA256, json);
    digest.as_ref().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a line, and tells its length.
fn put(to: &mut impl Write, revision: Revision, document: &str) -> io::Result<u64> {
    let json = format!("{{\"revision\":{revision},\"change\":{document}}}");
    writeln!(to, "{} {json}", sum(json.as_bytes()))?;
    Ok((DIGITS + 2 + json.len()) as u64)
}

/// The lines; one that does not end is none.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn understood<C: for<'de> Deserialize<'de>>(line: &[u8]) -> Option<Line<C>> {
    let line = line.strip_suffix(b"\n")?;
    let (told, json) = line.split_at_checked(DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    (told == sum(json).as_bytes()).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// The bytes of the start: its lines say the revision that the first one says.
fn start(text: &[u8]) -> u64 {
    let said = |line: &[u8]| {
        line.get(DIGITS..).and_then(|json| json.split(|byte| *byte == b',').next()).map(<[u8]>::to_vec)
    };
    let first = lines(text).next().and_then(said);
    lines(text).take_while(|line| said(line) == first).map(|line| line.len() as u64).sum()
}

/// The revision that the last line says.
fn last(text: &[u8]) -> Option<Revision> {
    understood::<serde::de::IgnoredAny>(lines(text).next_back()?).map(|line| line.revision)
}

#[cfg(test)]
mod tests {
    use gateway_core::config::{Config, Service};

    use super::*;

    fn place() -> (PathBuf, impl Drop) {
        struct Gone(PathBuf);
        impl Drop for Gone {
            fn drop(&mut self) {
                fs::remove_dir_all(&self.0).ok();
            }
        }
        let directory = std::env::temp_dir().join(format!("gateway-copy-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory).unwrap();
        (directory.join("copy.jsonl"), Gone(directory))
    }

    fn documents(config: &Config) -> serde_json::Result<Vec<String>> {
        serde_json::to_string(&Config::default().diff(config)).map(|document| vec![document])
    }

    fn config(names: &[&str]) -> Config {
        names.iter().fold(Config::default(), |config, name| config.with(Service::new(name, "h")))
    }

    fn step(from: &Config, to: &Config) -> String {
        serde_json::to_string(&from.diff(to)).unwrap()
    }

    #[test]
    fn what_was_appended_comes_back_and_a_torn_end_is_left_out() {
        let (path, _gone) = place();
        let [none, one, two] = [config(&[]), config(&["a"]), config(&["a", "b"])];
        let mut copy = Copy::start(&path, Revision::new(7), documents(&one).unwrap()).unwrap();
        copy.append(Revision::new(8), &step(&one, &two)).unwrap();
        copy.append(Revision::new(9), &step(&two, &none)).unwrap();
        let all = Loaded { stored: Stored::new(Revision::new(9), none), lost: 0 };
        assert_eq!(Copy::load(&path).unwrap(), Some(all));

        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 1]).unwrap();
        let torn = Copy::load(&path).unwrap().unwrap();
        assert_eq!(torn, Loaded { stored: Stored::new(Revision::new(8), two), lost: 1 });
        assert!(Copy::resume(&path, Revision::new(9)).unwrap().is_none(), "it is written anew");
    }

    #[test]
    fn a_flipped_bit_ends_what_is_believed() {
        let (path, _gone) = place();
        let (one, two) = (config(&["a"]), config(&["a", "b"]));
        let mut copy = Copy::start(&path, Revision::new(1), documents(&one).unwrap()).unwrap();
        copy.append(Revision::new(2), &step(&one, &two)).unwrap();
        let text = fs::read(&path).unwrap();
        let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for place in [second, second + DIGITS, second + 40, text.len() - 1] {
            let mut text = text.clone();
            text[place] ^= 1;
            fs::write(&path, text).unwrap();
            assert_eq!(Copy::load(&path).unwrap().unwrap().stored.revision, Revision::new(1), "{place}");
        }
        fs::write(&path, "no copy\n").unwrap();
        assert_eq!(Copy::load(&path).unwrap(), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(Copy::load(&path).unwrap(), None);
    }

    #[test]
    fn changes_longer_than_the_start_make_it_long_also_for_the_next_process() {
        let (path, _gone) = place();
        let one = config(&["a"]);
        let document = documents(&one).unwrap().remove(0);
        let pieces = vec![document.clone(); 9];
        let mut copy = Copy::start(&path, Revision::new(1), pieces).unwrap();
        let mut revision = Revision::new(1);
        while !copy.is_long() {
            assert!(copy.since < SHORT + document.len() as u64 + 99);
            revision = revision.next();
            copy.append(revision, &document).unwrap();
        }
        let resumed = Copy::resume(&path, revision).unwrap().unwrap();
        assert_eq!((resumed.start, resumed.since), (copy.start, copy.since));
    }

    #[test]
    fn a_copy_of_nothing_knows_its_revision() {
        let (path, _gone) = place();
        Copy::start(&path, Revision::new(3), documents(&Config::default()).unwrap()).unwrap();
        assert_eq!(Copy::resume(&path, Revision::new(3)).unwrap().unwrap().revision(), Revision::new(3));
        assert_eq!(
            Copy::load(&path).unwrap().unwrap().stored,
            Stored::new(Revision::new(3), Config::default())
        );
    }
}
