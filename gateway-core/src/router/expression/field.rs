//! The fields of a request that a predicate may ask for.

use std::fmt;

use http::HeaderName;

use crate::config::Protocol;

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Text(TextField),
    Number(NumberField),
    Address(AddressField),
}

/// A field that is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    Protocol,
    Sni,
    Method,
    Host,
    Path,
    /// From this segment of the path to that, both included, counted from 0.
    Segments(u32, u32),
    Header(Header),
    /// The argument of this name in the query.
    Query(Box<str>),
}

/// A header field, written in an expression with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// With dashes.
    pub(super) name: HeaderName,
    /// As it is written, where that is another name.
    pub(super) underscored: Option<HeaderName>,
}

/// A field that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberField {
    SourcePort,
    DestinationPort,
    SegmentCount,
}

/// A field that is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressField {
    Source,
    Destination,
}

/// Which fields there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subsystem {
    Http,
    Stream,
}

/// A name that is no field's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FieldError {
    Unknown,
    /// `http.path.segments.` with something else than an index, two in order, or `len`.
    Segments,
}

const HEADERS: &str = "http.headers.";
const QUERIES: &str = "http.queries.";
const SEGMENTS: &str = "http.path.segments.";

/// All names, for messages.
const HTTP: &[&str] = &[
    "http.method",
    "http.host",
    "http.path",
    "http.path.segments.<n>",
    "http.path.segments.<n>_<m>",
    "http.path.segments.len",
    "http.headers.<name>",
    "http.queries.<name>",
];
const NET: &[&str] = &["net.protocol", "tls.sni", "net.src.ip", "net.src.port", "net.dst.ip", "net.dst.port"];

impl Subsystem {
    /// Of a route with these protocols.
    pub(super) fn of(protocols: &[Protocol]) -> Self {
        use Protocol::{Grpc, Grpcs, Http, Https};
        match protocols {
            [] | [Http | Https | Grpc | Grpcs, ..] => Self::Http,
            _ => Self::Stream,
        }
    }

    /// The names of its fields.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let http = if self == Self::Http { HTTP } else { &[] };
        http.iter().chain(NET).copied()
    }
}

impl Field {
    /// The field of this name.
    pub(super) fn parse(name: &str, subsystem: Subsystem) -> Result<Self, FieldError> {
        Ok(match name {
            "net.protocol" => Self::Text(TextField::Protocol),
            "tls.sni" => Self::Text(TextField::Sni),
            "net.src.ip" => Self::Address(AddressField::Source),
            "net.dst.ip" => Self::Address(AddressField::Destination),
            "net.src.port" => Self::Number(NumberField::SourcePort),
            // Kong's old name for it, which it rewrites itself.
            "net.dst.port" | "net.port" => Self::Number(NumberField::DestinationPort),
            _ if subsystem == Subsystem::Http => return Self::http(name),
            _ => return Err(FieldError::Unknown),
        })
    }

    fn http(name: &str) -> Result<Self, FieldError> {
        let text = match name {
            "http.method" => TextField::Method,
            "http.host" => TextField::Host,
            "http.path" => TextField::Path,
            "http.path.segments.len" => return Ok(Self::Number(NumberField::SegmentCount)),
            _ => {
                if let Some(range) = name.strip_prefix(SEGMENTS) {
                    segments(range).ok_or(FieldError::Segments)?
                } else if let Some(name) = name.strip_prefix(HEADERS) {
                    TextField::Header(Header::new(name).ok_or(FieldError::Unknown)?)
                } else {
                    let query = name.strip_prefix(QUERIES).filter(|name| !name.is_empty());
                    TextField::Query(query.ok_or(FieldError::Unknown)?.into())
                }
            }
        };
        Ok(Self::Text(text))
    }
}

impl Header {
    fn new(name: &str) -> Option<Self> {
        let dashed = HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok()?;
        let written = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let underscored = (written != dashed).then_some(written);
        Some(Self { name: dashed, underscored })
    }
}

/// `0`, `12`, `0_2`: without leading zeros, and two indices in order.
fn segments(range: &str) -> Option<TextField> {
    let index = |text: &str| {
        let is_plain = text == "0" || !text.starts_with(['0', '+']);
        is_plain.then(|| text.parse::<u32>().ok())?
    };
    let Some((first, last)) = range.split_once('_') else {
        let index = index(range)?;
        return Some(TextField::Segments(index, index));
    };
    let (first, last) = (index(first)?, index(last)?);
    (first < last).then_some(TextField::Segments(first, last))
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(field) => field.fmt(f),
            Self::Number(NumberField::SourcePort) => f.write_str("net.src.port"),
            Self::Number(NumberField::DestinationPort) => f.write_str("net.dst.port"),
            Self::Number(NumberField::SegmentCount) => f.write_str("http.path.segments.len"),
            Self::Address(AddressField::Source) => f.write_str("net.src.ip"),
            Self::Address(AddressField::Destination) => f.write_str("net.dst.ip"),
        }
    }
}

impl fmt::Display for TextField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol => f.write_str("net.protocol"),
            Self::Sni => f.write_str("tls.sni"),
            Self::Method => f.write_str("http.method"),
            Self::Host => f.write_str("http.host"),
            Self::Path => f.write_str("http.path"),
            Self::Segments(first, last) if first == last => write!(f, "{SEGMENTS}{first}"),
            Self::Segments(first, last) => write!(f, "{SEGMENTS}{first}_{last}"),
            Self::Header(header) => write!(f, "{HEADERS}{}", header.name.as_str().replace('-', "_")),
            Self::Query(name) => write!(f, "{QUERIES}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_and_written() {
        for name in Subsystem::Http.names() {
            let name = name.replace("<name>", "x_a").replace("<n>", "3").replace("<m>", "12");
            let field =
                Field::parse(&name, Subsystem::Http).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(field.to_string(), name);
        }
        let old = Field::parse("net.port", Subsystem::Http).unwrap();
        assert_eq!(old.to_string(), "net.dst.port");
        let header = Field::parse("http.headers.X_A", Subsystem::Http).unwrap();
        assert_eq!(header.to_string(), "http.headers.x_a");
    }

    #[test]
    fn a_stream_has_no_http() {
        assert_eq!(Field::parse("http.path", Subsystem::Stream), Err(FieldError::Unknown));
        assert!(Field::parse("tls.sni", Subsystem::Stream).is_ok());
        assert_eq!(Subsystem::of(&[Protocol::Tls]), Subsystem::Stream);
        assert_eq!(Subsystem::of(&[Protocol::Grpcs]), Subsystem::Http);
    }

    #[test]
    fn segments_are_an_index_or_two_in_order() {
        for good in ["0", "7", "0_1", "20_30"] {
            assert!(segments(good).is_some(), "{good}");
        }
        for bad in ["", "01", "+1", "a", "1_1", "2_1", "1_", "_1", "1_2_3", "-1", "99999999999"] {
            assert!(segments(bad).is_none(), "{bad}");
        }
    }
}
