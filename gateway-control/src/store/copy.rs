//! A second file with the configuration: what a node falls back to.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use gateway_core::config::Change;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{
    Revision, Stored,
    files::{options, read, set_aside, sync_directory},
};
use crate::times;

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
    /// What its lines make, up to the first one that is damaged; nothing where that is the first of all.
    pub(super) stored: Stored,
    /// Lines that cannot be used: the first damaged one, and all after it.
    pub(super) lost: usize,
    /// Whether the start is known to be whole: its lines all say one revision, and nobody wrote down how many they are.
    pub(super) has_whole_start: bool,
    /// The highest revision that any line says, also one that cannot be used.
    pub(super) seen: Revision,
    /// No higher revision can have been given, as far as the lines tell; none where not one of them can be read.
    reach: Option<Revision>,
}

impl Loaded {
    /// Whether not even the first line can be used.
    #[cfg(any(feature = "postgres", test))]
    pub(super) fn is_empty(&self) -> bool {
        self.stored == Stored::default() && self.lost > 0
    }

    /// The revision from which a store goes on that has nothing else: where lines were lost it is one that was never
    /// given, for whoever knows a revision knows what it stands for.
    pub(super) fn revision(&self) -> Revision {
        if self.lost == 0 { self.stored.revision } else { self.reach.unwrap_or_else(beyond_all).next() }
    }
}

/// Beyond what any store has come to: milliseconds since 1970, for a change takes longer than one.
fn beyond_all() -> Revision {
    Revision::new(times::milliseconds())
}

#[derive(Serialize, Deserialize)]
struct Line<C> {
    revision: Revision,
    change: C,
}

/// Bytes of the shortest line that there can be: it tells how many stood where nothing can be read.
const SHORTEST: usize = DIGITS + 2 + r#"{"revision":0,"change":{}}"#.len();

/// Changes shorter than this are not worth a new file.
const SHORT: u64 = 1 << 20;

impl Copy {
    /// Writes a copy anew: `documents` are changes as JSON, which make the configuration of `revision` out of nothing.
    /// Up to the end the one before stays; if it is damaged it is set aside, for it may still be of use to somebody.
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
        if !read(path)?.is_none_or(|text| is_whole(&text)) {
            let aside = set_aside(path)?;
            error!(path = %path.display(), aside = %aside.display(), "the copy was damaged: it is set aside, and written anew");
        }
        fs::rename(&fresh, path)?;
        sync_directory(path)?;
        let file = options().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, revision, start, since: 0 })
    }

    /// Goes on with the copy at `path`, if its last line says `revision` and no line is damaged.
    pub(super) fn resume(path: &Path, revision: Revision) -> io::Result<Option<Self>> {
        let text = read(path)?.filter(|text| last(text) == Some(revision) && is_whole(text));
        let Some(text) = text else { return Ok(None) };
        let file = options().append(true).open(path)?;
        let start = start(&text);
        Ok(Some(Self { path: path.to_owned(), file, revision, start, since: text.len() as u64 - start }))
    }

    /// What the copy at `path` has, as far as it can be used; nothing if there is none.
    pub(super) fn load(path: &Path) -> io::Result<Option<Loaded>> {
        Ok(read(path)?.filter(|text| !text.is_empty()).map(|text| loaded(&text)))
    }

    /// Adds the change, as JSON, that made `revision`.
    pub(super) fn append(&mut self, revision: Revision, document: &str) -> io::Result<()> {
        let mut line = Vec::new();
        let length = put(&mut line, revision, document)?;
        if let Err(error) = self.file.write_all(&line) {
            // Half a line is no damage that anybody has to hear of.
            self.file.set_len(self.start + self.since).ok();
            return Err(error);
        }
        self.since += length;
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

fn loaded(text: &[u8]) -> Loaded {
    let mut stored = Stored::default();
    let (mut first, mut used, mut bytes) = (None, 0, 0);
    for (line, length) in lines(text).map_while(|line| Some((understood::<Change>(line)?, line.len()))) {
        first.get_or_insert(line.revision);
        stored = Stored::new(line.revision, stored.config.apply(&line.change));
        used += 1;
        bytes += length;
    }
    let rest = text.get(bytes..).unwrap_or_default();
    let lost = lines(rest).count();
    let told = lines(rest).filter_map(understood::<serde::de::IgnoredAny>).map(|line| line.revision).max();
    let seen = told.unwrap_or_default().max(stored.revision);
    let has_whole_start = used > 0 && (lost == 0 || first != Some(stored.revision));
    let reach = (used > 0 || told.is_some())
        .then(|| Revision::new(seen.get().saturating_add((rest.len() / SHORTEST) as u64)));
    Loaded { stored, lost, has_whole_start, seen, reach }
}

/// Whether each line is as it was written.
fn is_whole(text: &[u8]) -> bool {
    lines(text).all(|line| intact(line).is_some())
}

/// The lines; one that does not end is none.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn understood<C: for<'de> Deserialize<'de>>(line: &[u8]) -> Option<Line<C>> {
    serde_json::from_slice(intact(line)?).ok()
}

/// What stands behind the digest, if it is that of it.
fn intact(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let (told, json) = line.split_at_checked(DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    (told == sum(json).as_bytes()).then_some(json)
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
        let all = Copy::load(&path).unwrap().unwrap();
        assert_eq!((&all.stored, all.lost), (&Stored::new(Revision::new(9), none), 0));
        assert_eq!(all.revision(), Revision::new(9));

        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 1]).unwrap();
        let torn = Copy::load(&path).unwrap().unwrap();
        assert_eq!((&torn.stored, torn.lost), (&Stored::new(Revision::new(8), two), 1));
        assert!(torn.has_whole_start);
        assert!(torn.revision() > Revision::new(9), "nine was given, and is not given again");
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
        assert!(Copy::load(&path).unwrap().unwrap().is_empty());
        fs::remove_file(&path).unwrap();
        assert_eq!(Copy::load(&path).unwrap(), None);
    }

    /// Bug: a copy of one line, written anew at revision 80,000 and damaged, went on from the number of lines that can
    /// have stood in it: at a number that had been given long before, for something else.
    #[test]
    fn where_no_line_says_a_revision_the_next_one_is_beyond_all() {
        let (path, _gone) = place();
        let mut given = Revision::new(80_000);
        for _ in 0..2 {
            Copy::start(&path, given, documents(&config(&["a"])).unwrap()).unwrap();
            let mut text = fs::read(&path).unwrap();
            text[DIGITS + 40] ^= 1;
            fs::write(&path, text).unwrap();
            let loaded = Copy::load(&path).unwrap().unwrap();
            assert_eq!((loaded.is_empty(), loaded.seen), (true, Revision::NONE));
            assert!(loaded.revision() > given, "{:?} after {given:?}", loaded.revision());
            given = loaded.revision();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn what_is_damaged_in_the_middle_is_not_gone_on_with_and_not_written_over() {
        let (path, _gone) = place();
        let one = config(&["a"]);
        let document = documents(&one).unwrap().remove(0);
        let pieces = vec![document.clone(); 3];
        let mut copy = Copy::start(&path, Revision::new(7), pieces).unwrap();
        copy.append(Revision::new(8), &document).unwrap();
        copy.append(Revision::new(9), &document).unwrap();
        let mut text = fs::read(&path).unwrap();
        let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 30;
        text[second] ^= 1;
        fs::write(&path, &text).unwrap();
        let loaded = Copy::load(&path).unwrap().unwrap();
        assert_eq!((loaded.lost, loaded.has_whole_start, loaded.seen), (4, false, Revision::new(9)));
        assert!(Copy::resume(&path, Revision::new(9)).unwrap().is_none(), "it is written anew");

        Copy::start(&path, Revision::new(9), [document]).unwrap();
        let names = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = names.filter(|name| *name != path).collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(fs::read(&aside[0]).unwrap(), text);
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
