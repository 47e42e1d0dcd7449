//! Which content coding a client gets (RFC 9110 12.5.3). Pure.

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// A content coding that the gateway can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

impl Coding {
    /// Every coding, as the configuration names it.
    pub(super) const NAMES: [&'static str; 4] = ["zstd", "br", "gzip", "deflate"];

    /// The coding of this name; `x-gzip` is one for `gzip` (RFC 9110 8.4.1.3).
    pub(super) fn named(name: &str) -> Option<Self> {
        let is = |other| name.eq_ignore_ascii_case(other);
        match () {
            () if is("br") => Some(Self::Brotli),
            () if is("deflate") => Some(Self::Deflate),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// The word of `Content-Encoding`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A weight in thousandths.
type Weight = u16;

/// What the client says of each coding.
#[derive(Default)]
struct Accepted {
    codings: Vec<(Coding, Weight)>,
    identity: Option<Weight>,
    any: Option<Weight>,
}

/// The coding of `offered` that the client likes best; of those it likes equally, the one that is offered first.
/// None: the answer stays as it is, also where the client refuses that too, as it is the upstream's to say so.
pub(super) fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let accepted = Accepted::of(headers);
    let weighed = offered.iter().map(|coding| (*coding, accepted.weight(*coding)));
    let best = weighed.filter(|(_, weight)| *weight > 0).rev().max_by_key(|(_, weight)| *weight)?;
    (best.1 >= accepted.identity.unwrap_or(0)).then_some(best.0)
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        let lines = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).for_each(|member| accepted.add(member));
        accepted
    }

    /// The first of two that name one coding counts.
    fn add(&mut self, member: &str) {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1000, thousandths);
        match Coding::named(name) {
            _ if name == "*" => _ = self.any.get_or_insert(weight),
            _ if name.eq_ignore_ascii_case("identity") => _ = self.identity.get_or_insert(weight),
            Some(coding) if self.codings.iter().all(|(other, _)| *other != coding) => {
                self.codings.push((coding, weight));
            }
            _ => {}
        }
    }

    fn weight(&self, coding: Coding) -> Weight {
        let own = self.codings.iter().find(|(other, _)| *other == coding).map(|(_, weight)| *weight);
        own.or(self.any).unwrap_or(0)
    }
}

/// `0.5` as 500 (RFC 9110 12.4.2); what is no weight is 0.
fn thousandths(text: &str) -> Weight {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 3;
    match (whole, digits) {
        ("1", true) if fraction.bytes().all(|byte| byte == b'0') => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

    use super::{Coding, choose};

    const ALL: [Coding; 4] = [Coding::Zstd, Coding::Brotli, Coding::Gzip, Coding::Deflate];

    fn chosen(lines: &[&'static str], offered: &[Coding]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|line| _ = headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line)));
        choose(&headers, offered).map(Coding::word)
    }

    #[test]
    fn the_client_chooses_and_the_configuration_where_it_does_not_mind() {
        for (accepted, coding) in [
            ("gzip", Some("gzip")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("GZIP;Q=0.8 , br ; q=0.9", Some("br")),
            ("gzip;q=1.000, br;q=0.999", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("deflate", Some("deflate")),
            ("*", Some("zstd")),
            ("*;q=0.5, gzip", Some("gzip")),
            ("zstd;q=0, *;q=0.5", Some("br")),
            ("*;q=0", None),
            ("gzip;q=0", None),
            ("identity", None),
            ("identity;q=0", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some("gzip")),
            ("compress, snappy", None),
            ("gzip;q=2", None),
            ("gzip;q=0.1234", None),
            ("gzip;q=", None),
            ("gzip;q=nan, br", Some("br")),
            ("gzip;q=0, gzip", None),
            ("", None),
            (";;,,=", None),
        ] {
            assert_eq!(chosen(&[accepted], &ALL), coding, "{accepted}");
        }
        assert_eq!(chosen(&[], &ALL), None, "who says nothing gets what is there");
        assert_eq!(chosen(&["gzip;q=0.1", "br;q=0.2"], &ALL), Some("br"));
        assert_eq!(chosen(&["gzip, br"], &[Coding::Gzip]), Some("gzip"));
        assert_eq!(chosen(&["gzip, br"], &[Coding::Gzip, Coding::Brotli]), Some("gzip"));
    }
}
