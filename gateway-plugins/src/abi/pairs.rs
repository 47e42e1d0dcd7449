//! Maps on the wire: a count, the lengths of all keys and values, then the bytes, each with a zero behind it.

use smallvec::SmallVec;

use super::Status;

/// The most pairs of one map.
pub(crate) const MOST_PAIRS: usize = 1_000;
/// The most bytes of one map.
pub(crate) const MOST_BYTES: usize = 256 << 10;

/// One field, borrowed.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// The encoding of `pairs`, written behind what `out` has. No pairs are no bytes.
pub(crate) fn encode<'a>(pairs: impl Iterator<Item = Pair<'a>>, out: &mut Vec<u8>) -> Result<(), Status> {
    let pairs: SmallVec<[Pair<'_>; 32]> = pairs.collect();
    if pairs.is_empty() {
        return Ok(());
    }
    out.reserve(encoded_size(pairs.iter().copied()));
    put(out, pairs.len())?;
    for (key, value) in &pairs {
        put(out, key.len())?;
        put(out, value.len())?;
    }
    for text in pairs.into_iter().flat_map(|(key, value)| [key, value]) {
        out.extend_from_slice(text);
        out.push(0);
    }
    Ok(())
}

/// How many bytes [`encode`] gives.
pub(crate) fn encoded_size<'a>(pairs: impl Iterator<Item = Pair<'a>>) -> usize {
    let bytes: usize = pairs.map(|(key, value)| key.len() + value.len() + 10).sum();
    if bytes == 0 { 0 } else { bytes + 4 }
}

/// Reads an encoded map. Empty ones come as no bytes, one zero byte, or a count of zero.
///
/// # Errors
/// A bad argument where a length leads out of the bytes, or a bound is passed: nothing is allocated before that
/// is known.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Pair<'_>>, Status> {
    if bytes.is_empty() || bytes == [0] {
        return Ok(Vec::new());
    }
    if bytes.len() > MOST_BYTES {
        return Err(Status::BadArgument);
    }
    let (count, rest) = number(bytes)?;
    let lengths = count.checked_mul(8).filter(|_| count <= MOST_PAIRS).ok_or(Status::BadArgument)?;
    let (mut lengths, mut texts) = rest.split_at_checked(lengths).ok_or(Status::BadArgument)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (key, after) = number(lengths)?;
        let (value, after) = number(after)?;
        lengths = after;
        pairs.push((text(&mut texts, key)?, text(&mut texts, value)?));
    }
    Ok(pairs)
}

fn put(out: &mut Vec<u8>, number: usize) -> Result<(), Status> {
    let number = u32::try_from(number).map_err(|_| Status::SerializationFailure)?;
    out.extend_from_slice(&number.to_le_bytes());
    Ok(())
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), Status> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Status::BadArgument)?;
    let number = usize::try_from(u32::from_le_bytes(*number)).map_err(|_| Status::BadArgument)?;
    Ok((number, rest))
}

/// The next text of this length; the zero behind it is skipped, whatever it is: other hosts do not look either.
fn text<'a>(texts: &mut &'a [u8], length: usize) -> Result<&'a [u8], Status> {
    let (text, rest) = texts.split_at_checked(length).ok_or(Status::BadArgument)?;
    let (_, rest) = rest.split_first().ok_or(Status::BadArgument)?;
    *texts = rest;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode, encoded_size};
    use crate::abi::Status;

    fn encoded(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(pairs.iter().map(|(key, value)| (&key[..], &value[..])), &mut out).unwrap();
        out
    }

    #[test]
    fn the_example_of_the_specification() {
        let bytes = encoded(&[(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"22".to_vec())]);
        assert_eq!(bytes, b"\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0a\x001\0b\x0022\0",);
    }

    #[test]
    fn an_empty_map_has_three_forms() {
        for form in [&b""[..], b"\0", b"\0\0\0\0"] {
            assert_eq!(decode(form), Ok(Vec::new()), "{form:?}");
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_anything_is_allocated() {
        for form in
            [&b"\xff\xff\xff\xff"[..], b"\x01\0\0\0", b"\x01\0\0\0\x01\0\0\0\xff\xff\xff\xffa\0", b"\x01"]
        {
            assert_eq!(decode(form), Err(Status::BadArgument), "{form:?}");
        }
        let many = vec![(Vec::new(), Vec::new()); 1_001];
        assert_eq!(decode(&encoded(&many)), Err(Status::BadArgument));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
        ) {
            let bytes = encoded(&pairs);
            let borrowed: Vec<_> = pairs.iter().map(|(key, value)| (&key[..], &value[..])).collect();
            prop_assert_eq!(encoded_size(borrowed.iter().copied()), bytes.len());
            prop_assert_eq!(decode(&bytes), Ok(borrowed));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(pairs) = decode(&bytes) {
                prop_assert!(pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= bytes.len());
            }
        }
    }
}
