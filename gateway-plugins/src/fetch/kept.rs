//! What was fetched, kept in a folder by its hash.

use std::{
    fs::{self, DirBuilder, File},
    hash::{BuildHasher, RandomState},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::Digest;
use crate::files;

/// A folder of files that are named by their hashes. What lies there is looked at again whenever it is read, so it need not
/// be trusted.
#[derive(Debug, Default)]
pub(super) struct Kept(pub(super) Option<PathBuf>);

/// What nobody read for so long goes when something else comes.
const OLDEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const PREFIX: &str = "sha256-";

impl Kept {
    /// The bytes with this hash, at most so many, if they are there and still the same.
    pub(super) fn get(&self, digest: &Digest, most: usize) -> Option<Vec<u8>> {
        let path = self.path(digest)?;
        // Whoever else may write there leads nobody elsewhere by a link.
        fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let bytes = files::bytes(&path, most).ok()?.ok()?;
        if let Err(error) = digest.check(&bytes) {
            tracing::warn!(path = %path.display(), %error, "a file that was kept is another one now, it is fetched again");
            return None;
        }
        // Only a sign that it is in use.
        let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Keeps these bytes. Where that fails they are fetched again the next time.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) {
        let (Some(folder), Some(path)) = (&self.0, self.path(digest)) else { return };
        if let Err(error) = write(folder, &path, bytes) {
            tracing::warn!(path = %path.display(), %error, "what was fetched is not kept: a start needs the network again");
        }
        prune(folder);
    }

    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let name = digest.to_string().replace(':', "-");
        self.0.as_ref().map(|folder| folder.join(name))
    }
}

/// The file is there as a whole, or not at all.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Two processes in two containers may have one number, and nobody else's file or link is written into.
    let part = path.with_extension(format!("part-{:016x}", RandomState::new().hash_one(0)));
    let mut file = File::options().write(true).create_new(true).open(&part)?;
    file.write_all(bytes).and_then(|()| fs::rename(&part, path)).inspect_err(|_| drop(fs::remove_file(&part)))
}

/// Removes what nobody reads any more.
fn prune(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in ours {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLDEST)) {
            // Somebody else may have done it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, SystemTime},
    };

    use super::{Digest, Kept};

    #[test]
    fn whoever_else_writes_there_leads_nobody_elsewhere() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = std::env::temp_dir().join(format!("gateway-kept-links-{}", std::process::id()));
        let kept = Kept(Some(folder.clone()));
        kept.put(&Digest::of(b"a"), b"a");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let (other, digest) = (folder.join("other"), Digest::of(b"some bytes"));
        let path = kept.path(&digest).unwrap();
        fs::write(&other, b"some bytes").unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(kept.get(&digest, 100), None, "a link is no file, whatever it leads to");
        kept.put(&digest, b"some bytes");
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "it takes the place of the link");
        assert_eq!(kept.get(&digest, 100).as_deref(), Some(&b"some bytes"[..]));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(kept.get(&digest, 100), None);
        kept.put(&digest, b"some bytes");
        let parts = fs::read_dir(&folder).unwrap().flatten();
        let parts = parts.filter(|entry| entry.file_name().to_string_lossy().contains("part"));
        assert_eq!(parts.count(), 0, "what could not be put there is gone");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn starts_at_the_same_time_keep_one_whole_file() {
        let folder = std::env::temp_dir().join(format!("gateway-kept-race-{}", std::process::id()));
        let bytes = vec![7; 1 << 20];
        let digest = Digest::of(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let kept = Kept(Some(folder.clone()));
                    kept.put(&digest, &bytes);
                    assert!(kept.get(&digest, 1 << 20).is_some_and(|found| found == bytes));
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_kept_is_looked_at_when_it_is_read_and_goes_when_nobody_reads_it() {
        let folder = std::env::temp_dir().join(format!("gateway-kept-{}", std::process::id()));
        let kept = Kept(Some(folder.clone()));
        let digest = Digest::of(b"some bytes");
        assert_eq!(kept.get(&digest, 100), None);
        kept.put(&digest, b"some bytes");
        assert_eq!(kept.get(&digest, 100).as_deref(), Some(&b"some bytes"[..]));
        assert_eq!(kept.get(&digest, 9), None, "over the bound");
        let path = kept.path(&digest).unwrap();
        let old = SystemTime::now() - Duration::from_secs(91 * 24 * 60 * 60);
        fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
        kept.get(&digest, 100).unwrap();
        kept.put(&Digest::of(b"other"), b"other");
        assert!(path.exists(), "it was read");
        fs::write(&path, b"same bytes").unwrap();
        assert_eq!(kept.get(&digest, 100), None);
        fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
        kept.put(&Digest::of(b"third"), b"third");
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(Kept(None).get(&digest, 100), None);
    }
}
