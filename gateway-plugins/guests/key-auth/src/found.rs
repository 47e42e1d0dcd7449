//! What there is of a key in one place.

use plugin_sdk::{Only, Text, form};

/// What there is of a key in one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    None,
    /// A key, perhaps an empty one.
    One(Text),
    /// More than one.
    Several,
    /// Something that is no text.
    Other,
}

impl Found {
    /// In a query or a form. A name without `=` is no text.
    pub(crate) fn among(text: &str, name: &str) -> Self {
        let mut values = form::pairs(text).filter(|(own, _)| own == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(_), Some(_)) => Self::Several,
            (Some(Some(value)), None) => Self::One(Text::from(&*value)),
            (Some(None), None) => Self::Other,
        }
    }
}

impl From<Only> for Found {
    fn from(only: Only) -> Self {
        match only {
            Only::None => Self::None,
            Only::One(value) => Self::One(value),
            Only::Several => Self::Several,
        }
    }
}
