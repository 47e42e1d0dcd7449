//! Host and server name patterns, and the map from a host to all that is kept for it.

use std::{net::Ipv6Addr, sync::Arc};

use super::{
    map::Map,
    trie::{Backward, Forward, Trie},
};

/// A host as a route names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: Name,
    /// The only port, or any (compat R9).
    pub(super) port: Option<u16>,
}

/// A name with at most one wildcard at either end, in lower case. A wildcard stands for any bytes, none included:
/// `*.x.t` takes `.x.t` and not `x.t` (compat P40).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Exact(String),
    /// `*.x.t`, without the star.
    EndsWith(String),
    /// `w.*`, without the star.
    StartsWith(String),
}

impl Host {
    /// Reads `name`, `name:port`, `[::1]` or `[::1]:port`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, port) = split_port(text);
        let port = port.map(|port| port.parse().map_err(|_| "the port is not a number below 65536"));
        Ok(Self { name: Name::parse(name)?, port: port.transpose()? })
    }
}

/// Apart from the colons of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, port)) if name.ends_with(']') || !name.contains(':') => (name, Some(port)),
        _ => (text, None),
    }
}

impl Name {
    /// Reads a name; case and a final dot do not count (compat D1), nor how an IPv6 address is written.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.to_ascii_lowercase();
        let name = if text.len() > 1 { text.strip_suffix('.').unwrap_or(&text) } else { &text };
        let (pattern, rest): (fn(String) -> Self, _) = if let Some(rest) = name.strip_prefix('*') {
            (Self::EndsWith, rest)
        } else if let Some(rest) = name.strip_suffix('*') {
            (Self::StartsWith, rest)
        } else {
            (exact, name)
        };
        if rest.contains('*') {
            return Err("at most one wildcard may stand, leftmost or rightmost");
        }
        Ok(pattern(rest.to_owned()))
    }

    /// Whether `name`, in any case, fits.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name = name.as_bytes();
        match self {
            Self::Exact(own) => name.eq_ignore_ascii_case(own.as_bytes()),
            Self::EndsWith(end) => name
                .len()
                .checked_sub(end.len())
                .and_then(|start| name.get(start..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes())),
            Self::StartsWith(start) => {
                name.get(..start.len()).is_some_and(|lead| lead.eq_ignore_ascii_case(start.as_bytes()))
            }
        }
    }
}

/// One name; an IPv6 address as the hosts of requests have it, in brackets and in its shortest form.
fn exact(name: String) -> Name {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => Name::Exact(format!("[{address}]")),
        Err(_) => Name::Exact(name),
    }
}

/// Values under host names, with one for any host. A clone shares all, and a change copies little more than it
/// touches.
#[derive(Clone, Debug)]
pub(super) struct HostMap<V> {
    exact: Map<Arc<str>, V>,
    ends: Trie<V>,
    starts: Trie<V>,
    any: Option<V>,
}

impl<V> HostMap<V> {
    /// Shows `visit` all values that hold for `host`: the exact one, then wildcards from the longest, then the one for
    /// any host.
    pub(super) fn visit<'m>(&'m self, host: &str, mut visit: impl FnMut(&'m V)) {
        if let Some(exact) = self.exact.get(host) {
            visit(exact);
        }
        self.ends.visit(Backward(host.as_bytes()), |value, _| visit(value));
        self.starts.visit(Forward(host.as_bytes()), |value, _| visit(value));
        if let Some(any) = &self.any {
            visit(any);
        }
    }
}

impl<V: Clone> HostMap<V> {
    /// Lets `change` set, replace or take away the value of `name`; `None` is any host.
    pub(super) fn update(&mut self, name: Option<&Name>, change: impl FnOnce(&mut Option<V>)) {
        match name {
            Some(Name::Exact(name)) => {
                let (key, mut value) = self.exact.remove_with_key(name.as_str()).unzip();
                change(&mut value);
                let key = key.unwrap_or_else(|| name.as_str().into());
                if let Some(value) = value {
                    self.exact.insert(key, value);
                }
            }
            Some(Name::EndsWith(end)) => self.ends.update(&end.bytes().rev().collect::<Vec<_>>(), change),
            Some(Name::StartsWith(start)) => self.starts.update(start.as_bytes(), change),
            None => change(&mut self.any),
        }
    }
}

impl<V> Default for HostMap<V> {
    fn default() -> Self {
        Self { exact: Map::default(), ends: Trie::default(), starts: Trie::default(), any: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> (Name, Option<u16>) {
        let host = Host::parse(text).unwrap();
        (host.name, host.port)
    }

    #[test]
    fn a_host_is_read_with_wildcard_and_port() {
        assert_eq!(host("A.x.T."), (Name::Exact("a.x.t".into()), None));
        assert_eq!(host("*.x.t:81"), (Name::EndsWith(".x.t".into()), Some(81)));
        assert_eq!(host("w.*:81"), (Name::StartsWith("w.".into()), Some(81)));
        assert_eq!(host("[::1]"), (Name::Exact("[::1]".into()), None));
        assert_eq!(host("[::1]:81"), (Name::Exact("[::1]".into()), Some(81)));
        for text in ["::1", "[0:0:0:0:0:0:0:1]", "[0::0001]"] {
            assert_eq!(host(text), (Name::Exact("[::1]".into()), None));
        }
        assert_eq!(host("[2001:DB8::0:7]:81"), (Name::Exact("[2001:db8::7]".into()), Some(81)));
    }

    #[test]
    fn a_wrong_host_is_refused() {
        for text in ["a.*.b", "*.x.*", "*a*", "a:b", "a:65536", "a:"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_matches_as_kong_was_seen_to_p40() {
        let fits = |pattern: &str, name: &str| Name::parse(pattern).unwrap().matches(name);
        for name in ["v.x.t", "a.b.x.t", ".x.t"] {
            assert!(fits("*.x.t", name), "{name}");
        }
        assert!(!fits("*.x.t", "x.t"));
        for name in ["w.z", "w.z.zz", "W.z"] {
            assert!(fits("w.*", name), "{name}");
        }
        assert!(!fits("w.*", "v.w.z"));
        assert!(fits("a.t", "A.T") && !fits("a.t", "a.tt"));
    }

    #[test]
    fn a_host_finds_exact_then_wildcards_then_any() {
        let name = |text: &str| Some(Name::parse(text).unwrap());
        let mut map = HostMap::default();
        let names = [name("a.x.t"), name("*.t"), name("*.x.t"), name("a.*"), None];
        for (name, value) in names.iter().zip(["e", "t", "xt", "a", "any"]) {
            map.update(name.as_ref(), |own| *own = Some(value));
        }
        let get = |map: &HostMap<&'static str>, host: &str| {
            let mut found = Vec::new();
            map.visit(host, |value| found.push(*value));
            found
        };
        assert_eq!(get(&map, "a.x.t"), ["e", "xt", "t", "a", "any"]);
        assert_eq!(get(&map, "b.t"), ["t", "any"]);
        assert_eq!(get(&map, "x"), ["any"]);
        for name in &names {
            map.update(name.as_ref(), |own| *own = None);
        }
        assert!(get(&map, "a.x.t").is_empty());
    }
}
