//! `Cache-Control`, read (RFC 9111 5.2).

use http::{HeaderMap, HeaderName, header::CACHE_CONTROL};

/// The directives of a message, as far as a shared cache acts on them. The first of two counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) only_if_cached: bool,
    /// `must-revalidate` or `proxy-revalidate`.
    pub(super) must_revalidate: bool,
    /// Seconds, as all that follow.
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) min_fresh: Option<u64>,
    /// Without a value: any staleness.
    pub(super) max_stale: Option<u64>,
}

impl Directives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for directive in list(headers, &CACHE_CONTROL) {
            let (name, value) = match directive.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim().trim_matches('"'))),
                None => (directive, None),
            };
            directives.add(&name.to_ascii_lowercase(), value);
        }
        directives
    }

    fn add(&mut self, name: &str, value: Option<&str>) {
        match name {
            "no-store" => self.no_store = true,
            // With the names of fields too: those fields could not be told apart from the rest.
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "only-if-cached" => self.only_if_cached = true,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            // What is no number is taken as stale (RFC 9111 4.2.1).
            "max-age" => _ = self.max_age.get_or_insert(seconds(value).unwrap_or(0)),
            "s-maxage" => _ = self.s_maxage.get_or_insert(seconds(value).unwrap_or(0)),
            "min-fresh" => _ = self.min_fresh.get_or_insert(seconds(value).unwrap_or(u64::MAX)),
            "max-stale" => {
                let bound = if value.is_some() { seconds(value).unwrap_or(0) } else { u64::MAX };
                self.max_stale.get_or_insert(bound);
            }
            _ => {}
        }
    }
}

/// Digits as a number; one that does not fit is the greatest (RFC 9111 1.2.2).
fn seconds(value: Option<&str>) -> Option<u64> {
    let digits =
        value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// The members of a list field, over all its lines; a comma between quotes parts nothing (RFC 9110 5.6.1).
pub(super) fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(members).map(str::trim).filter(|member| !member.is_empty())
}

fn members(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};

    use super::Directives;

    fn of(lines: &[&'static str]) -> Directives {
        let lines = lines.iter().map(|line| (CACHE_CONTROL, HeaderValue::from_static(line)));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| _ = headers.append(name, value));
        Directives::of(&headers)
    }

    #[test]
    fn directives_are_read_over_all_lines_in_any_case() {
        let read = of(&[
            "Max-Age=60, S-MAXAGE = \"10\"",
            "No-Store,,private=\"a, no-cache, max-age=5\" , min-fresh=3",
        ]);
        let wanted = Directives {
            no_store: true,
            private: true,
            max_age: Some(60),
            s_maxage: Some(10),
            min_fresh: Some(3),
            ..Directives::default()
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn what_is_no_number_is_stale_and_what_is_too_great_is_the_greatest() {
        assert_eq!(of(&["max-age=x, s-maxage"]).max_age, Some(0));
        assert_eq!(of(&["max-age=-1"]).max_age, Some(0));
        assert_eq!(of(&["max-age=60, max-age=5"]).max_age, Some(60));
        assert_eq!(of(&["s-maxage=99999999999999999999999"]).s_maxage, Some(u64::MAX));
        assert_eq!((of(&["max-stale"]).max_stale, of(&["max-stale=7"]).max_stale), (Some(u64::MAX), Some(7)));
        assert_eq!(of(&["public, immutable, x=\"\\\""]), Directives::default());
    }
}
