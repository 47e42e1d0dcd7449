//! Names of header fields as guests write them, read once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::{
    HeaderName,
    header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use crate::abi::Status;

/// A name that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) field: HeaderName,
    /// Whether a field of this name is the host's to write.
    pub(crate) frames: bool,
}

/// Names that a guest has written before. Reading one anew takes 250 instructions and memory, finding it 50.
#[derive(Default)]
pub(crate) struct Names(HashMap<Box<[u8]>, Name, RandomState>);

/// A guest that writes more names, or longer ones, has the rest read anew each time.
const MOST: usize = 128;
const LONGEST: usize = 64;

impl Names {
    /// The name in these bytes.
    pub(crate) fn get(&mut self, bytes: &[u8]) -> Result<Name, Status> {
        if let Some(name) = self.0.get(bytes) {
            return Ok(name.clone());
        }
        let field = HeaderName::from_bytes(bytes).map_err(|_| Status::BadArgument)?;
        let name = Name { frames: frames(&field), field };
        if self.0.len() < MOST && bytes.len() <= LONGEST {
            self.0.insert(bytes.into(), name.clone());
        }
        Ok(name)
    }
}

pub(crate) const FRAMING: [HeaderName; 8] = [
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    UPGRADE,
    TE,
    TRAILER,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Whether a field frames the message or belongs to the connection (RFC 9110 section 7.6.1).
pub(crate) fn frames(name: &HeaderName) -> bool {
    FRAMING.contains(name)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MOST, Names};

    #[test]
    fn a_name_is_the_same_each_time_and_their_number_is_bounded() {
        let mut names = Names::default();
        for number in 0..2 * MOST {
            let name = format!("X-{number}");
            let first = names.get(name.as_bytes()).unwrap();
            assert_eq!(first, names.get(name.as_bytes()).unwrap());
            assert_eq!(first.field, format!("x-{number}").as_str());
        }
        let long = [b'a'; LONGEST + 1];
        assert_eq!(names.get(&long).unwrap().field.as_str().len(), long.len());
        assert_eq!(names.0.len(), MOST);
        assert!(names.get(b"transfer-encoding").unwrap().frames && !names.get(b"x-1").unwrap().frames);
        assert!(names.get(b"no name").is_err() && names.get(b"").is_err());
    }
}
