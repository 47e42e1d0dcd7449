//! A file beside plugins that says where one comes from.

use std::{collections::BTreeSet, path::Path};

use serde::Deserialize;

use crate::{Fetcher, LoadError, Source, load};

/// What a file `NAME.toml` in a folder with plugins says: where the plugin NAME comes from.
///
/// ```toml
/// source = "https://plugins.example.com/geo-1.4.0.wasm"
/// sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
/// ```
#[derive(Debug)]
pub(crate) struct Delivery {
    /// One, or several side by side.
    pub(crate) versions: Vec<Part>,
}

/// One version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    source: String,
    sha256: Option<String>,
    /// How many of a hundred clients see it.
    pub(crate) percent: u16,
}

/// The text of the file: one of the two forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    source: Option<String>,
    sha256: Option<String>,
    versions: Option<Vec<Part>>,
}

/// Bytes of such a file.
const MOST: usize = 64 << 10;
/// Versions side by side.
const VERSIONS: usize = 8;

impl Delivery {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let refused = |problem| LoadError::Delivery { path: path.to_owned(), problem };
        let text = String::from_utf8(load::read(path, MOST)?).map_err(|error| refused(error.to_string()))?;
        let text: Text = toml::from_str(&text).map_err(|error| refused(error.message().to_owned()))?;
        Self::of(text).map_err(refused)
    }

    fn of(text: Text) -> Result<Self, String> {
        let versions = match (text.source, text.versions) {
            (Some(source), None) => vec![Part { source, sha256: text.sha256, percent: 100 }],
            (None, Some(versions)) if text.sha256.is_none() => versions,
            (None, None) => return Err("missing field `source`, or `versions`".to_owned()),
            _ => return Err("`source` and `sha256` stand at the top, or in each of `versions`".to_owned()),
        };
        if versions.is_empty() || versions.len() > VERSIONS {
            return Err(format!("1 to {VERSIONS} versions, not {}", versions.len()));
        }
        let sum: u32 = versions.iter().map(|version| u32::from(version.percent)).sum();
        if sum != 100 {
            return Err(format!("the percents of all versions are 100 together, not {sum}"));
        }
        Ok(Self { versions })
    }
}

impl Part {
    /// The module. Where it is a file, its path is taken from the folder that the delivery at `path` is in.
    pub(crate) fn module(&self, path: &Path, fetcher: &Fetcher) -> Result<Vec<u8>, LoadError> {
        let fetch = |source: Source| fetcher.fetch(&source.within(path.parent().unwrap_or(path)));
        let fetched = Source::pinned(&self.source, self.sha256.as_deref()).and_then(fetch);
        fetched.map_err(|source| LoadError::Fetch { from: self.source.clone(), source })
    }
}

/// What tells versions apart: the number that each says, unless several say the same or nothing; then a hash. The same module
/// once more has a number behind it: no sample of the metrics comes twice.
pub(crate) fn labels(said: &[(Option<&str>, String)]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> =
        said.iter().filter_map(|(word, _)| *word).filter(|word| !seen.insert(*word)).collect();
    let label = |(word, hash): &(Option<&str>, String)| {
        let word = word.filter(|word| !twice.contains(word));
        word.map_or_else(|| hash.chars().take("sha256:".len() + 12).collect(), str::to_owned)
    };
    let plain: Vec<_> = said.iter().map(label).collect();
    let before = |at: usize, label: &String| plain.iter().take(at).filter(|other| *other == label).count();
    let numbered = plain.iter().enumerate().map(|(at, label)| match before(at, label) {
        0 => label.clone(),
        again => format!("{label}-{}", again + 1),
    });
    numbered.collect()
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Source, labels};

    #[test]
    fn a_delivery_has_one_source_or_several_with_their_percents() {
        let of = |text: &str| {
            let text = toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())?;
            Delivery::of(text).map(|delivery| delivery.versions.len())
        };
        let two = |a: u16, b: u16| {
            let part = |percent| format!("[[versions]]\nsource = 'file:a'\npercent = {percent}\n");
            part(a) + &part(b)
        };
        assert_eq!((of("source = 'file:a'"), of(&two(90, 10)), of(&two(100, 0))), (Ok(1), Ok(2), Ok(2)));
        assert_eq!(of(&two(50, 50)), Ok(2), "the same percent twice");
        for (text, told) in [
            ("", "missing field `source`, or `versions`"),
            (&two(90, 11), "the percents of all versions are 100 together, not 101"),
            (&two(90, 9), "the percents of all versions are 100 together, not 99"),
            (&two(65_535, 1), "together, not 65536"),
            ("versions = []", "1 to 8 versions, not 0"),
            ("[[versions]]\nsource = 'file:a'", "missing field `percent`"),
            (&format!("source = 'file:b'\n{}", two(50, 50)), "or in each of `versions`"),
            (&format!("sha256 = 'b'\n{}", two(50, 50)), "or in each of `versions`"),
        ] {
            let refused = of(text).unwrap_err();
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn the_examples_of_the_page_are_deliveries_that_are_pinned() {
        let page = include_str!("../../docs/plugins-delivery.md");
        let examples = page.split("```toml\n").skip(1).filter_map(|text| text.split("```").next());
        let deliveries = examples.filter(|text| text.starts_with("# plugins/"));
        let versions = deliveries.map(|text| {
            let delivery = Delivery::of(toml::from_str(text).unwrap()).unwrap();
            for part in &delivery.versions {
                Source::pinned(&part.source, part.sha256.as_deref()).unwrap();
            }
            delivery.versions.len()
        });
        assert_eq!(versions.collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn versions_are_called_as_they_say_unless_that_tells_nothing() {
        let hash = |letter: char| format!("sha256:{}", letter.to_string().repeat(64));
        let (a, b, c) = (hash('a'), hash('b'), hash('c'));
        let both = [(Some("1.0.0"), a.clone()), (Some("1.1.0"), b.clone())];
        assert_eq!(labels(&both), ["1.0.0", "1.1.0"]);
        let same = [(Some("1"), a), (Some("1"), b), (None, c)];
        assert_eq!(labels(&same), ["sha256:aaaaaaaaaaaa", "sha256:bbbbbbbbbbbb", "sha256:cccccccccccc"]);
        let module = (Some("1"), hash('a'));
        let thrice = labels(&[module.clone(), module.clone(), module]);
        assert_eq!(thrice, ["sha256:aaaaaaaaaaaa", "sha256:aaaaaaaaaaaa-2", "sha256:aaaaaaaaaaaa-3"]);
    }
}
