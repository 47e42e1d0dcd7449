//! One change as the log has it.

use gateway_core::config::Change;
use serde::{Deserialize, Serialize};

use super::Revision;

/// One change as the log of a store has it, with what it takes to undo it.
///
/// As JSON it has secrets in clear, like the entities in it: whoever shows it leaves them out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The revision that it made.
    pub revision: Revision,
    /// When, Unix seconds.
    pub at: u64,
    /// Who made it, and how.
    pub note: Note,
    /// What came: the new value of each entity that differs, or nothing where it went.
    pub change: Change,
    /// What was there before, for the same entities: the change back.
    pub before: Change,
}

/// Who changes something, and by what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// The user, the token's name, the address.
    pub who: String,
    /// The request or the command.
    pub what: String,
}

impl Note {
    /// Who and what, each cut after 1 KiB.
    ///
    /// ```
    /// use gateway_control::store::Note;
    ///
    /// let note = Note::new("127.0.0.1", "POST /services");
    /// assert_eq!(note.what, "POST /services");
    /// ```
    #[must_use]
    pub fn new(who: impl Into<String>, what: impl Into<String>) -> Self {
        Self { who: cut(who.into()), what: cut(what.into()) }
    }
}

/// The longest text of a note, bytes: what clients send stands there, and it is kept a thousand times.
const LONGEST: usize = 1 << 10;

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn a_note_is_cut_between_characters() {
        let note = Note::new("a".to_owned() + &"é".repeat(1024), "");
        assert_eq!(note.who.len(), 1023);
    }
}
