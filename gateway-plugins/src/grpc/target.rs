//! Whom a call is for.

/// The name in what a guest says of whom it calls: the name itself, or Envoy's message `GrpcService`
/// (`envoy.config.core.v3`) with it, `envoy_grpc.cluster_name`. None where that is neither, or of another client.
pub(crate) fn upstream(said: &[u8]) -> Option<&str> {
    const ENVOY_GRPC: u64 = 1;
    const CLUSTER_NAME: u64 = 1;
    // A message begins with the number of a field, no name with a control character.
    let name = match said.first() {
        Some(..b' ') => field(field(said, ENVOY_GRPC)?, CLUSTER_NAME)?,
        _ => said,
    };
    std::str::from_utf8(name).ok()
}

/// The last field of `message` with this number, of those that have a length. None where it is not there, or `message` is none.
fn field(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut found = None;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let length = match key & 7 {
            0 => {
                varint(&mut message)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = message.split_at_checked(length)?;
        if key == wanted << 3 | 2 {
            found = Some(value);
        }
        message = rest;
    }
    found
}

/// The number that a message goes on with.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::upstream;

    #[test]
    fn a_name_is_a_name_and_a_message_has_one() {
        let timeout = b"\x1a\x02\x08\x05";
        let envoy = b"\x0a\x0a\x12\x01x\x0a\x05users".as_slice();
        for (said, name) in [
            (b"users".as_slice(), Some("users")),
            (b"https://a.example", Some("https://a.example")),
            (b"", Some("")),
            (b"\x0a\x07\x0a\x05users", Some("users")),
            (&[timeout, envoy].concat(), Some("users")),
            (&[envoy, timeout, b"\x20\x96\x01\x29\0\0\0\0\0\0\0\0\x35\0\0\0\0"].concat(), Some("users")),
            (b"\x0a\x06\x0a\x05users", None),
            (b"\x0a\x07\x0a\x05user\xff", None),
            // Google's client, with an address in place of a name.
            (b"\x12\x07\x0a\x05users", None),
            (b"\x0a\x00", None),
            (b"\x0b\x0c", None),
            (b"\xffusers", None),
        ] {
            assert_eq!(upstream(said), name, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_has_an_end(said in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = upstream(&said);
        }
    }
}
