//! The settings of the node: file, then environment, then flags.

mod compat;
mod environment;
mod file;
mod gather;
mod kong_conf;
mod limits;
mod origin;
mod plugins;
mod range;
mod table;
#[cfg(test)]
mod testing;
mod timeouts;
mod token;
mod trust;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use self::{
    limits::Limits,
    origin::Origin,
    range::count,
    timeouts::Timeouts,
    token::Token,
    trust::{Network, RealIpHeader},
};
use crate::{
    address::{Address, ListenAddress},
    args::{LogFormat, RouterFlavor},
};

pub(crate) use self::{
    compat::{Branding, Compat},
    plugins::Plugins,
};

/// All settings, each as far as somebody gave it. `docs/settings.md` says what they mean.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) config: Option<PathBuf>,
    pub(crate) store: Option<String>,
    pub(crate) store_copy: Option<PathBuf>,
    pub(crate) store_ca: Option<PathBuf>,
    pub(crate) listen: Option<Vec<ListenAddress>>,
    pub(crate) listen_tls: Option<Vec<ListenAddress>>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) admin: Option<Address>,
    pub(crate) admin_token: Option<Token>,
    /// More of them, by the name that stands in the history.
    pub(crate) admin_tokens: BTreeMap<String, Token>,
    pub(crate) admin_hosts: Option<Vec<String>>,
    /// Whose pages may read and change.
    pub(crate) admin_origins: Option<Vec<Origin>>,
    pub(crate) admin_tls_cert: Option<PathBuf>,
    pub(crate) admin_tls_key: Option<PathBuf>,
    /// Anchors of those who may ask, PEM.
    pub(crate) admin_client_ca: Option<PathBuf>,
    #[serde(deserialize_with = "count::<_, _, 1, 1_024>")]
    pub(crate) workers: Option<u16>,
    pub(crate) router_flavor: Option<RouterFlavor>,
    pub(crate) path_templates: Option<bool>,
    pub(crate) allow_debug_header: Option<bool>,
    pub(crate) compat: Option<Compat>,
    pub(crate) branding: Option<Branding>,
    pub(crate) trusted_ips: Option<Vec<Network>>,
    pub(crate) real_ip_header: Option<RealIpHeader>,
    pub(crate) real_ip_recursive: Option<bool>,
    pub(crate) strict_paths: Option<bool>,
    pub(crate) strict_headers: Option<bool>,
    pub(crate) tls_verify: Option<bool>,
    pub(crate) reason_header: Option<bool>,
    pub(crate) zone: Option<String>,
    pub(crate) access_log: Option<String>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) plugins: Plugins,
    /// The keys of Kong's settings that were read, and those that were not.
    #[serde(skip)]
    pub(crate) kong: [Vec<String>; 2],
}

impl Settings {
    /// Whether there is nothing to serve but ourselves.
    pub(crate) const fn is_demo(&self) -> bool {
        self.config.is_none() && self.store.is_none()
    }
}
