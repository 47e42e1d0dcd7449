//! Paths.

use gateway_core::sanitize::{canonical_path, refuse_ambiguous};

/// A path is refused, or has one form that any server reads alike.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(canonical) = canonical_path(text) else { return };
    assert_eq!(canonical_path(&canonical).as_deref(), Ok(&*canonical), "{text:?} has two forms");
    assert!(canonical.starts_with('/') && !canonical.contains("//"), "{text:?} -> {canonical:?}");
    assert!(
        canonical.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\<>\"{}|^`".contains(&byte)),
        "{canonical:?}"
    );
    assert!(
        canonical.split('/').all(|segment| segment != "." && segment != ".."),
        "{text:?} -> {canonical:?}"
    );
    let once = decoded(&canonical);
    assert!(!once.contains(&0), "{text:?} -> {canonical:?} has a NUL");
    assert!(!climbs(&once), "{text:?} -> {canonical:?} climbs above the root once decoded");
    if refuse_ambiguous(&canonical).is_ok() {
        assert_eq!(once.iter().filter(|byte| **byte == b'/').count(), canonical.matches('/').count());
        assert!(!once.contains(&b'\\'), "{text:?} -> {canonical:?}");
    }
}

/// A path as an upstream decodes it, once.
fn decoded(path: &str) -> Vec<u8> {
    let (mut rest, mut out) = (path.as_bytes(), Vec::new());
    while let Some((first, more)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| more.split_at_checked(2)).flatten();
        let value =
            escaped.and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (value, escaped) {
            (Some(value), Some((_, more))) => {
                out.push(value);
                rest = more;
            }
            _ => {
                assert_ne!(*first, b'%', "a bad escape in {path:?}");
                out.push(*first);
                rest = more;
            }
        }
    }
    out
}

/// Whether dot segments lead out of the root at any point.
fn climbs(path: &[u8]) -> bool {
    let mut depth = 0_i32;
    path.split(|byte| *byte == b'/').any(|segment| {
        match segment {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        depth < 0
    })
}
