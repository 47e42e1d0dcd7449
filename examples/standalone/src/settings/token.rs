//! What clients of the Admin API are known by.

use std::fmt;

use serde::Deserialize;

/// What clients of the Admin API bring. It is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Token(String);

/// Shorter ones can be guessed, characters.
const SHORTEST_TOKEN: usize = 16;

impl Token {
    pub(crate) const fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let fits = plain && text.len() >= SHORTEST_TOKEN;
        fits.then_some(Self(text))
            .ok_or_else(|| format!("a token has {SHORTEST_TOKEN} characters or more, of ASCII"))
    }
}
