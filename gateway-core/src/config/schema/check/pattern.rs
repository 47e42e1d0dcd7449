//! What texts look like that pass the checks beside it, as regular expressions for JSON Schema (ECMA 262, of which only what
//! RFC 9485 has, too). Each matches all that its check lets pass; most let nothing else pass.

/// A label of a host name.
macro_rules! label {
    () => {
        "[0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?"
    };
}

/// Labels with dots between them.
macro_rules! labels {
    () => {
        concat!(label!(), "(?:\\.", label!(), ")*")
    };
}

/// An IPv6 address; that it has eight groups is for the check.
macro_rules! v6 {
    () => {
        "[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+"
    };
}

/// A segment of a path (RFC 3986 3.3).
macro_rules! segment {
    () => {
        "(?:[0-9A-Za-z._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+"
    };
}

pub(in crate::config::schema) const NAME: &str = "^(?:[0-9A-Za-z._~-]|[^\\u0000-\\u007F])+$";
pub(in crate::config::schema) const TAG: &str = "^[^\\u0000-\\u001F\\u007F,/]+$";
pub(in crate::config::schema) const METHOD: &str = "^[A-Z]+$";
pub(in crate::config::schema) const UUID: &str = "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
pub(in crate::config::schema) const HEADER: &str = "^[0-9A-Za-z_-]+$";
pub(in crate::config::schema) const COOKIE: &str = "^[0-9A-Za-z!#$%&'*+.^_`|~-]+$";
pub(in crate::config::schema) const VAULT_PREFIX: &str = "^[a-z][a-z0-9-]*[a-z0-9]$";
pub(in crate::config::schema) const PROTOCOL: &str =
    "^(?:grpc|grpcs|http|https|tcp|tls|tls_passthrough|udp)$";
pub(in crate::config::schema) const PATH: &str = concat!("^/(?:", segment!(), "(?:/", segment!(), ")*/?)?$");
pub(in crate::config::schema) const ROUTE_PATH: &str = "^~?/";
pub(in crate::config::schema) const URL: &str = "^[\\s\\S]+://[^/?#]";
pub(in crate::config::schema) const SERVER_NAME: &str = concat!("^", labels!(), "\\.?$");
pub(in crate::config::schema) const WILDCARD_SNI: &str =
    concat!("^(?:(?:\\*\\.)?", labels!(), "\\.?|\\*\\.|", labels!(), "\\.\\*)$");
pub(in crate::config::schema) const HOST: &str =
    concat!("^(?:", labels!(), "\\.?|", v6!(), "|\\[", v6!(), "\\])$");
pub(in crate::config::schema) const HOST_AND_PORT: &str =
    concat!("^(?:", labels!(), "\\.?(?::[0-9]+)?|", v6!(), "|\\[", v6!(), "\\](?::[0-9]+)?)$");
pub(in crate::config::schema) const ROUTE_HOST: &str = concat!(
    "^(?:(?:(?:\\*\\.)?",
    labels!(),
    "\\.?|\\*\\.|",
    labels!(),
    "\\.\\*)(?::[0-9]+)?|",
    v6!(),
    "|\\[",
    v6!(),
    "\\](?::[0-9]+)?)$"
);
pub(in crate::config::schema) const IP_OR_CIDR: &str = "^[0-9A-Fa-f:.]+(?:/[0-9]+)?$";

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex};
    use regex::Regex;
    use serde_json::Value;

    use super::super::*;

    type Check = fn(&Value) -> Result<(), String>;

    /// Each check with its pattern, and whether all that the pattern matches passes.
    const ALL: [(Check, &str, bool); 19] = [
        (name, NAME, true),
        (tag, TAG, true),
        (method, METHOD, true),
        (uuid, UUID, true),
        (header, HEADER, true),
        (header_of_route, HEADER, false),
        (cookie, COOKIE, true),
        (vault_prefix, VAULT_PREFIX, true),
        (path, PATH, true),
        (route_path, ROUTE_PATH, false),
        (url, URL, false),
        (sni, SERVER_NAME, false),
        (upstream_name, SERVER_NAME, false),
        (wildcard_sni, WILDCARD_SNI, false),
        (host, HOST, false),
        (host_header, HOST_AND_PORT, false),
        (target, HOST_AND_PORT, false),
        (route_host, ROUTE_HOST, false),
        (ip_or_cidr, IP_OR_CIDR, false),
    ];

    /// Texts that are nearly right, and often are.
    const NEARLY: &str = r"(\*\.|~?/|\[)?([a-zA-Z0-9_.~é-]{1,8}|::[0-9a-f.]{1,4}|%[0-9A-Fa-f]{1,2}|[a-z]://[a-z/]){1,3}(\.\*|\]|/|:[0-9]{0,3}|,)?";

    proptest! {
        #[test]
        fn what_passes_a_check_matches_its_pattern(text in prop_oneof![string_regex(NEARLY).unwrap(), "[a-z.*:/-]{1,6}"]) {
            for (at, (check, pattern, _)) in ALL.iter().enumerate() {
                if check(&text.as_str().into()).is_ok() {
                    prop_assert!(Regex::new(pattern).unwrap().is_match(&text), "{at}: {pattern}");
                }
            }
        }

        #[test]
        fn what_matches_an_exact_pattern_passes_its_check(texts in exact()) {
            for (at, text) in texts {
                prop_assert_eq!(ALL[at].0(&text.into()), Ok(()));
            }
        }
    }

    fn exact() -> Vec<BoxedStrategy<(usize, String)>> {
        let exact = ALL.iter().enumerate().filter(|(_, (.., exact))| *exact);
        exact
            .map(|(at, (_, pattern, _))| {
                let texts = string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap();
                texts.prop_map(move |text| (at, text)).boxed()
            })
            .collect()
    }

    #[test]
    fn every_check_lets_something_pass_that_its_pattern_matches() {
        let samples = [
            "a",
            "a.b",
            "GET",
            "a.b:80",
            "[::1]:80",
            "::1",
            "*.a",
            "a.*",
            "*.",
            "a.*:80",
            "/a/b%20c/",
            "~/a+",
            "http://a",
            "10.0.0.0/8",
            "ab",
            "0c5e7d2e-5d36-4a4c-9a5e-0d8a3c1b2f4d",
        ];
        for (at, (check, pattern, _)) in ALL.iter().enumerate() {
            let passing = samples.iter().filter(|sample| check(&(**sample).into()).is_ok());
            let passing: Vec<_> = passing.collect();
            assert!(!passing.is_empty(), "{at}");
            for sample in passing {
                assert!(Regex::new(pattern).unwrap().is_match(sample), "{at}: {sample}");
            }
        }
    }
}
