//! The header fields of a message.

use crate::{
    Text,
    host::{self, Map},
};

/// The header fields of a message. Names are written small; comparison does not care.
///
/// What frames a message (`content-length`, `transfer-encoding`, `connection` ...) is the gateway's, and left as it is.
pub trait Headers {
    #[doc(hidden)]
    const MAP: Map;

    /// The first value of a field; nothing where there is none. What is not UTF-8 in it shows as the replacement
    /// character: a field that a client has spoilt is there all the same.
    fn header(&self, name: &str) -> Option<Text> {
        host::header(Self::MAP, name)
    }

    /// The value of a field that is there once, without a look at all the others.
    fn only_header(&self, name: &str) -> Only {
        match host::header_alone(Self::MAP, name) {
            None => Only::None,
            Some((value, true)) => Only::One(value),
            Some((_, false)) => Only::Several,
        }
    }

    /// All fields in their order, pseudo-fields (`:path`) left out.
    fn headers(&self) -> Vec<(String, String)> {
        let mut fields = host::headers(Self::MAP);
        fields.retain(|(name, _)| !name.starts_with(':'));
        fields
    }

    /// The value of each field of this name.
    fn header_values(&self, name: &str) -> Vec<String> {
        let fields = host::headers(Self::MAP).into_iter();
        fields.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// Writes a field in place of all of its name.
    fn set_header(&mut self, name: &str, value: &str) {
        host::set_header(Self::MAP, name, value);
    }

    /// Adds a field beside those of its name.
    fn add_header(&mut self, name: &str, value: &str) {
        host::add_header(Self::MAP, name, value);
    }

    /// Takes all fields of a name out.
    fn remove_header(&mut self, name: &str) {
        host::remove_header(Self::MAP, name);
    }
}

/// What there is of a field that should be there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// No field of this name.
    None,
    /// One.
    One(Text),
    /// Two or more.
    Several,
}
