//! The name that was probably meant.

/// The one of `names` that `name` was probably meant to be: one that begins so, or else one that
/// looks much like it.
pub(super) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const CLOSE: f64 = 0.75;
    const TELLING: usize = 3;
    if name.len() < TELLING {
        return None;
    }
    let score = |other: &str| {
        // What begins so stands above what only looks alike; the shorter the better.
        let begins = || 2.0 + 1.0 / (1.0 + other.len() as f64);
        if other.starts_with(name) { begins() } else { strsim::jaro_winkler(name, other) }
    };
    let scored = names.into_iter().map(|other| (other, score(other)));
    scored.filter(|(_, score)| *score >= CLOSE).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(other, _)| other)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_finds_the_name_that_was_meant() {
        let names = ["name", "paths", "strip_path", "methods"];
        assert_eq!(nearest("path", names), Some("paths"));
        assert_eq!(nearest("prot", ["port", "protocol"]), Some("protocol"));
        assert_eq!(nearest("strippath", names), Some("strip_path"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("n", names), None, "one letter tells nothing");
    }
}
