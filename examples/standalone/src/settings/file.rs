//! The settings file.

use std::{fs, path::Path};

use toml::Table;

use super::Settings;
use crate::failure::Failure;

/// The settings file, checked by itself so that a mistake is told with its line.
pub(super) fn read(path: &Path) -> Result<Table, Failure> {
    let name = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    toml::from_str::<Settings>(&text).map_err(|error| misread(path, &text, &error))?;
    text.parse().map_err(|error: toml::de::Error| misread(path, &text, &error))
}

fn misread(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let message = error.message().replace('\n', ", ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return Failure::new(format!("{}: {message}", path.display()));
    };
    let number = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let line = text.lines().nth(number - 1).unwrap_or_default().trim();
    Failure::new(format!("{}:{number}: `{line}`: {message}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read;
    use crate::settings::testing::file;

    #[test]
    fn mistakes_name_file_line_and_field() {
        for (name, text, told) in [
            ("unknown", "workers = 2\n[limits]\nbogus = 1\n", ":3: `bogus = 1`: unknown field `bogus`"),
            ("type", "\nworkers = 'x'\n", ":2: `workers = 'x'`: invalid type"),
            ("value", "admin = 'nowhere'\n", ":1: `admin = 'nowhere'`: 'nowhere' is no address"),
            ("time", "[timeouts]\nhead = '5'\n", ":2: `head = '5'`: '5' is no time"),
            ("none", "workers = 0\n", ":1: `workers = 0`: not within 1 to 1024"),
            ("range", "[limits]\nstreams = 0\n", ":2: `streams = 0`: not within 1 to 10000"),
            ("short", "[timeouts]\nhead = 0\n", ":2: `head = 0`: not within 100ms to 1440m"),
            ("syntax", "workers = \n", ":1: `workers =`: "),
        ] {
            let path = file(name, text);
            let failure = read(&path).unwrap_err().to_string();
            assert!(failure.contains(told) && failure.lines().count() == 1, "{failure}");
            fs::remove_file(path).unwrap();
        }
    }
}
