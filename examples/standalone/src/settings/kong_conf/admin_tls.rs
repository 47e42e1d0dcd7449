//! How the Admin API listens, which several settings say together.

use std::collections::BTreeMap;

use super::{
    given::Given,
    meaning::{Meaning, first, listeners},
};

/// The Admin API has one address here: the first one in clear, or else the first one with TLS, if it has a certificate.
pub(super) enum AdminTls {
    /// It is in clear, or off.
    Clear,
    /// It has a certificate and its key.
    Whole,
    /// No certificate is made up where one is missing.
    Bare,
}

impl AdminTls {
    pub(super) fn of(given: &BTreeMap<String, Given>) -> Self {
        let Some((clear, tls)) = given.get("admin_listen").map(|given| listeners(&given.value)) else {
            return Self::Clear;
        };
        let is_whole = ["admin_ssl_cert", "admin_ssl_cert_key"].iter().all(|key| given.contains_key(*key));
        match (clear.is_empty() && !tls.is_empty(), is_whole) {
            (false, _) => Self::Clear,
            (true, true) => Self::Whole,
            (true, false) => Self::Bare,
        }
    }

    /// What a setting of the listener means; none: it is another one.
    pub(super) fn translate(&self, key: &str, value: &str) -> Option<Meaning> {
        const BARE: &str = "over TLS the Admin API needs admin_ssl_cert and admin_ssl_cert_key";
        const CLEAR: &str = "admin_listen has an address in clear, or none: the Admin API has one address";
        let one = |place, value: &str| Meaning::Same(vec![(place, value.into())]);
        let address = |list: Vec<String>| list.first()?.split(' ').next().map(str::to_owned);
        Some(match (key, self) {
            ("admin_listen", Self::Bare) | ("admin_ssl_cert" | "admin_ssl_cert_key", Self::Bare) => {
                Meaning::Ignored(BARE)
            }
            ("admin_ssl_cert" | "admin_ssl_cert_key", Self::Clear) => Meaning::Ignored(CLEAR),
            ("admin_ssl_cert", Self::Whole) => one("admin_tls_cert", &first(value)),
            ("admin_ssl_cert_key", Self::Whole) => one("admin_tls_key", &first(value)),
            ("admin_listen", Self::Clear | Self::Whole) => {
                let (clear, tls) = listeners(value);
                match address(clear).or_else(|| address(tls)) {
                    Some(address) => one("admin", &address),
                    None => Meaning::Same(Vec::new()),
                }
            }
            _ => return None,
        })
    }
}
