//! Header fields as bytes, in either direction.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Malformed;

/// Writes one field.
pub(super) fn write(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Takes over what the parser has found in `bytes`; values share them.
pub(super) fn take(
    into: &mut HeaderMap,
    bytes: &Bytes,
    found: &[httparse::Header<'_>],
    wrong: Malformed,
) -> Result<(), Malformed> {
    // Room for what the gateway adds: growing means to hash all names once more.
    const ADDED: usize = 10;
    into.try_reserve(found.len() + ADDED).map_err(|_| wrong)?;
    for field in found {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| wrong)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(|_| wrong)?;
        into.try_append(name, value).map_err(|_| wrong)?;
    }
    Ok(())
}
