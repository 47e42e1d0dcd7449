//! What was fetched, kept in a folder by its hash.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::Digest;

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
        let size = fs::metadata(&path).ok()?.len();
        let bytes = usize::try_from(size).is_ok_and(|size| size <= most).then(|| fs::read(&path).ok())??;
        if let Err(error) = digest.check(&bytes) {
            tracing::warn!(path = %path.display(), %error, "a file that was kept is another one now, it is fetched again");
            return None;
        }
        // Only a sign that it is in use.
        let _ =
            fs::File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
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
    fs::create_dir_all(folder)?;
    let part = path.with_extension(format!("part-{}", std::process::id()));
    fs::write(&part, bytes)
        .and_then(|()| fs::rename(&part, path))
        .inspect_err(|_| drop(fs::remove_file(&part)))
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
