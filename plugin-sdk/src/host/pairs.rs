//! Maps on the wire: a count, the lengths of all keys and values, then the bytes, each with a zero behind it.

/// The encoding of `pairs`.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |number: usize| bytes.extend(u32::try_from(number).unwrap_or_default().to_le_bytes());
    put(pairs.len());
    for (key, value) in pairs {
        put(key.len());
        put(value.len());
    }
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The pairs in `bytes`; what is no text is read as well as it can be.
pub(crate) fn decode(bytes: &[u8]) -> Vec<(String, String)> {
    pairs(bytes).unwrap_or_default()
}

fn pairs(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let (count, mut lengths) = number(bytes)?;
    let mut texts = lengths.get(count.checked_mul(8)?..)?;
    let mut text = |length: usize| {
        let (text, rest) = texts.split_at_checked(length)?;
        texts = rest.get(1..)?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (key, rest) = number(lengths)?;
        let (value, rest) = number(rest)?;
        lengths = rest;
        pairs.push((text(key)?, text(value)?));
    }
    Some(pairs)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_encoded_comes_back_and_what_is_cut_off_is_nothing() {
        let bytes = encode(&[(":path", "/"), ("x", "")]);
        assert_eq!(decode(&bytes), [(":path".to_owned(), "/".to_owned()), ("x".to_owned(), String::new())]);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), []);
        assert_eq!(decode(&[]), []);
        assert_eq!(decode(&[0xff; 8]), []);
    }
}
