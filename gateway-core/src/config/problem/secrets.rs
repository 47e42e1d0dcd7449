//! What a drawing must not show: logs and build servers keep what is drawn.

use super::{Path, Problem, Step};
use crate::config::Span;

/// Stands where something is left out.
const MASK: &str = "***";

/// Words that make a field a secret wherever they stand in its name.
const WORDS: [&str; 9] =
    ["secret", "password", "passwd", "passphrase", "token", "private", "credential", "apikey", "jwk"];

/// Whether what stands under this name is a secret. It goes by the name alone: the field may be mistyped, or
/// of a plugin that is not there.
pub(in crate::config) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["key", "keys", "key_alt", "authorization"].iter().any(|end| name.ends_with(end));
    ends || name == "certificates" || WORDS.iter().any(|word| name.contains(word))
}

impl Problem {
    /// Says only the kind of what was found, where that is a secret.
    pub(super) fn discreet(&mut self) {
        if !is_within_secret(&self.path) {
            return;
        }
        let kinds = [("the text ", "a text"), ("the number ", "a number"), ("the boolean ", "a boolean")];
        let found = self.found.as_deref().unwrap_or_default();
        if let Some((_, kind)) = kinds.iter().find(|(start, _)| found.starts_with(start)) {
            self.found = Some((*kind).to_owned());
        }
    }
}

fn is_within_secret(path: &Path) -> bool {
    path.steps().iter().any(|step| matches!(step, Step::Field(name) if is_secret(name)))
}

/// `line`, which begins at byte `start` of `text`, without its secrets: all behind the first one goes with it.
/// Nothing where it lies within one.
pub(super) fn masked(text: &str, start: usize, line: &str, hidden: &[Span]) -> Option<String> {
    let mut end = by_name(line).unwrap_or(line.len());
    for span in hidden {
        let (from, to) = (span.start as usize, span.end as usize);
        // A block's end is where the next thing begins.
        let to = text.get(..to).map_or(to, |before| before.trim_end().len());
        if from >= start + line.len() || to <= start {
            continue;
        }
        if from <= start + indent(line) && !line.trim().is_empty() {
            return None;
        }
        end = end.min(from.saturating_sub(start));
    }
    match line.get(..end) {
        Some(shown) if end < line.len() => Some(format!("{shown}{MASK}")),
        _ => Some(line.to_owned()),
    }
}

/// The same where there is no tree: a line that is no `name: value` may be the middle of a key.
pub(super) fn masked_by_name(line: &str) -> Option<String> {
    line.contains(':').then(|| masked(line, 0, line, &[])).flatten()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Where the value of the first field begins that is a secret by its name.
fn by_name(line: &str) -> Option<usize> {
    let colons = line.match_indices(':').map(|(at, _)| at);
    let secret = |at: &usize| {
        let before = line.get(..*at).unwrap_or_default().trim_end_matches(['"', '\'', ' ', '\t']);
        let name = before.rsplit(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter))).next();
        name.is_some_and(is_secret)
    };
    let at = colons.into_iter().find(secret)?;
    let value = line.get(at + 1..)?;
    (!value.trim().is_empty()).then_some(at + 1 + indent(value))
}

#[cfg(test)]
mod tests {
    use super::{by_name, is_secret, masked_by_name};

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "key",
            "Password",
            "client_secret",
            "key_alt",
            "keyauth_credentials",
            "jwk",
            "api_key",
            "certificates",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["name", "key_names", "paths", "cert", "username", "hash_on"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_line_is_cut_at_its_first_secret() {
        assert_eq!(masked_by_name("- {name: a, key: b, x: c}").as_deref(), Some("- {name: a, key: ***"));
        assert_eq!(masked_by_name("\"password\" : \"b\"").as_deref(), Some("\"password\" : ***"));
        assert_eq!(masked_by_name("  paths: [/a]").as_deref(), Some("  paths: [/a]"));
        assert_eq!(masked_by_name("  MIIEvQIBADANBg"), None);
        assert_eq!(by_name("keys:"), None);
    }
}
