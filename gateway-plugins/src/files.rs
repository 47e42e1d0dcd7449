//! Modules in files.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// The bytes of a file of at most `limit` bytes, or how many it has. Nothing but a plain file is opened: others wait for a writer, or never end.
pub(crate) fn bytes(path: &Path, limit: usize) -> io::Result<Result<Vec<u8>, u64>> {
    let (known, limit) = (fs::metadata(path)?, u64::try_from(limit).unwrap_or(u64::MAX));
    if !known.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    if known.len() > limit {
        return Ok(Err(known.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(known.len()).unwrap_or_default());
    // It may grow meanwhile.
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(if found > limit { Err(found) } else { Ok(bytes) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::bytes;

    #[test]
    fn what_is_no_plain_file_is_not_opened() {
        for path in ["/dev/zero", "/"] {
            let refused = bytes(Path::new(path), 1 << 20).unwrap_err().to_string();
            assert_eq!(refused, "it is no plain file", "{path}");
        }
        let own = std::env::current_exe().unwrap();
        let size = std::fs::metadata(&own).unwrap().len();
        assert_eq!(bytes(&own, 10).unwrap(), Err(size));
        assert_eq!(
            bytes(&own, usize::try_from(size).unwrap()).unwrap().map(|bytes| bytes.len() as u64),
            Ok(size)
        );
    }
}
