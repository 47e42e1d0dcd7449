//! A route: which requests it takes, and how their path and host go on.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Protocol, Reference, derived_id};

/// Rules that pick requests for a service. Field names and defaults are Kong's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Route {
    /// Identity; from the name where none is given.
    pub id: Uuid,
    /// Unique name.
    pub name: Option<String>,
    /// Protocols it serves. Default `http` and `https`; others are told to use these.
    pub protocols: Vec<Protocol>,
    /// Upper-case methods; unset: all.
    pub methods: Option<Vec<String>>,
    /// Host names, each with at most one `*` at either end, a port if wanted.
    pub hosts: Option<Vec<String>>,
    /// Byte prefixes (`/a`), or regular expressions anchored at the start (`~/a/\d+`). Where the node's settings say
    /// so, those with braces are templates (`/users/{id}`).
    pub paths: Option<Vec<String>>,
    /// Header names with the values that match; a single value `~*...` is a regular expression.
    pub headers: Option<IndexMap<String, Vec<String>>>,
    /// TLS server names.
    pub snis: Option<Vec<String>>,
    /// Stream sources.
    pub sources: Option<Vec<Address>>,
    /// Stream destinations.
    pub destinations: Option<Vec<Address>>,
    /// Answer to a request in clear on an https route: 426, 301, 302, 307 or 308. Default 426.
    pub https_redirect_status_code: u16,
    /// Order among regular expressions, higher first. Default 0.
    pub regex_priority: i64,
    /// Whether the matched path is taken off. Default true.
    pub strip_path: bool,
    /// How service path and request path are joined. Default `v0`.
    pub path_handling: PathHandling,
    /// Whether the client's `Host` goes on. Default false.
    pub preserve_host: bool,
    /// Whether a short request body is read before it is sent on. Default true.
    pub request_buffering: bool,
    /// Accepted, without effect. Default true.
    pub response_buffering: bool,
    /// The service behind it.
    pub service: Option<Reference>,
    /// An expression in place of the fields above (flavour `expressions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Rank of an expression, higher first, 0 to 2^46 - 1. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    /// Query parameters with the values that match; a value `~...` is a regular expression (flavour `gateway_api`).
    /// No field of Kong's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<IndexMap<String, Vec<String>>>,
    /// Free labels.
    pub tags: Option<Vec<String>>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
}

/// An address pattern of a stream route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// An address or a range in CIDR notation.
    pub ip: Option<String>,
    /// A port.
    pub port: Option<u16>,
}

/// How the service's path and the request's path are joined (compat P38).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathHandling {
    /// With exactly one slash between.
    #[default]
    V0,
    /// As bytes, one after the other; only the flavour `traditional` honours it.
    V1,
}

impl Route {
    /// A route with Kong's defaults and no match fields yet.
    ///
    /// ```
    /// use gateway_core::config::{Route, Service};
    ///
    /// let users = Service::new("users", "users.internal");
    /// let mut route = Route::new("users").to(&users);
    /// route.paths = Some(vec!["/users".into()]);
    /// assert!(route.strip_path);
    /// ```
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            id: derived_id("routes", name),
            name: Some(name.to_owned()),
            protocols: vec![Protocol::Http, Protocol::Https],
            methods: None,
            hosts: None,
            paths: None,
            headers: None,
            snis: None,
            sources: None,
            destinations: None,
            https_redirect_status_code: 426,
            regex_priority: 0,
            strip_path: true,
            path_handling: PathHandling::V0,
            preserve_host: false,
            request_buffering: true,
            response_buffering: true,
            service: None,
            expression: None,
            priority: None,
            queries: None,
            tags: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    /// The same route, leading to `service`.
    #[must_use]
    pub fn to(mut self, service: &super::Service) -> Self {
        self.service = Some(service.id.into());
        self
    }
}
