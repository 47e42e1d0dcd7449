//! Which origins may call: pure.

use std::borrow::Cow;

use http::HeaderValue;
use regex::Regex;

/// Every origin.
pub(super) const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origins that may call.
pub(super) enum Origins {
    /// Nothing is configured, or just `*`.
    Any,
    /// One origin: it is told to everybody, and the browser compares.
    One(HeaderValue),
    /// One of these.
    Listed(Vec<Entry>),
}

/// One of several origins.
pub(super) enum Entry {
    Any,
    Origin(String),
    OriginPattern(Regex),
    HostPattern(Regex),
}

impl Origins {
    pub(super) fn new(entries: &[String]) -> Result<Self, String> {
        match entries {
            [] => Ok(Self::Any),
            [one] if one == "*" => Ok(Self::Any),
            [one] if !is_pattern(one) => HeaderValue::try_from(one.as_str())
                .map(Self::One)
                .map_err(|_| "origins[0]: not an origin".to_owned()),
            _ => entries
                .iter()
                .enumerate()
                .map(|(index, entry)| Entry::new(entry).map_err(|why| format!("origins[{index}]: {why}")))
                .collect::<Result<_, _>>()
                .map(Self::Listed),
        }
    }

    /// What `Access-Control-Allow-Origin` says to a request from `origin`; nothing if it is refused.
    pub(super) fn grant(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let entries = match self {
            Self::Any => return Some(ANY),
            Self::One(one) => return Some(one.clone()),
            Self::Listed(entries) => entries,
        };
        let text = origin?.to_str().ok()?;
        if entries.iter().any(|entry| matches!(entry, Entry::Any)) {
            return Some(ANY);
        }
        let (normal, host) = normalized(text);
        if !entries.iter().any(|entry| entry.takes(&normal, host)) {
            return None;
        }
        if normal == text { origin.cloned() } else { HeaderValue::try_from(normal.into_owned()).ok() }
    }
}

/// Whether an entry has a character that no origin has.
fn is_pattern(entry: &str) -> bool {
    !entry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte))
}

impl Entry {
    fn new(entry: &str) -> Result<Self, String> {
        if entry == "*" {
            return Ok(Self::Any);
        }
        if !is_pattern(entry) {
            return Ok(Self::Origin(normalized(entry).0.into_owned()));
        }
        let pattern = Regex::new(&format!("^(?:{entry})$"));
        let pattern = pattern.map_err(|error| format!("'{entry}' is not a valid regex: {error}"))?;
        Ok(if entry.contains(':') { Self::OriginPattern(pattern) } else { Self::HostPattern(pattern) })
    }

    fn takes(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Origin(entry) => entry == origin,
            Self::OriginPattern(pattern) => pattern.is_match(origin),
            Self::HostPattern(pattern) => pattern.is_match(host),
        }
    }
}

/// An origin without the port that its scheme has anyway, and its host.
pub(super) fn normalized(origin: &str) -> (Cow<'_, str>, &str) {
    let Some((scheme, rest)) = origin.split_once("://") else { return (origin.into(), origin) };
    let authority = rest.split('/').next().unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    match (scheme, port) {
        ("http", Some("80")) | ("https", Some("443")) => (format!("{scheme}://{host}").into(), host),
        _ => (origin.get(..scheme.len() + 3 + authority.len()).unwrap_or(origin).into(), host),
    }
}
