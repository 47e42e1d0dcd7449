//! One request under way, as the host sees it.

use std::collections::BTreeMap;

use plugin_contract::Id;

use super::{
    fields::Fields,
    request::{Received, Request},
};

/// One request under way.
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) scheme: &'static str,
    pub(super) client_ip: String,
    /// The request's fields.
    pub(super) request: Fields,
    /// The status and the fields of the answer, once there is one.
    pub(super) response: Option<(u16, Fields)>,
    /// What the plugin sees of a body now.
    pub(super) body: Vec<u8>,
    /// What the plugin answered.
    pub(super) reply: Option<Reply>,
    /// Whether the plugin let the message that it held go.
    pub(super) resumed: bool,
    /// Fields for the answer that is yet to come.
    pub(super) deferred: Vec<(String, String)>,
    pub(super) vars: BTreeMap<String, Vec<u8>>,
    /// The consumer, and the credential it is known by: places in the list of consumers, and in theirs.
    pub(super) consumer: Option<Who>,
    pub(super) callouts: Vec<(String, Received)>,
}

/// The id of every request.
pub(super) const REQUEST_ID: &str = "5f1ec0de5f1ec0de5f1ec0de5f1ec0de";

/// Who calls.
#[derive(Clone, Copy)]
pub(super) struct Who {
    pub(super) consumer: Id,
    pub(super) credential: Option<Id>,
}

/// An answer in place of the upstream's.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
}

/// Only the gateway says who calls: what a client sends under these names goes no further (compat D14).
const IDENTITY: [&str; 3] = ["x-consumer-", "x-credential-identifier", "x-anonymous-consumer"];

impl Exchange {
    pub(super) fn new(mut request: Request) -> Self {
        request.fields.retain(|name| !IDENTITY.iter().any(|identity| name.starts_with(identity)));
        Self {
            method: request.method,
            target: request.target,
            scheme: request.scheme,
            client_ip: request.client_ip,
            request: request.fields,
            response: None,
            body: Vec::new(),
            reply: None,
            resumed: false,
            deferred: Vec::new(),
            vars: BTreeMap::new(),
            consumer: None,
            callouts: Vec::new(),
        }
    }

    /// The request as it goes up.
    pub(super) fn received(&self, body: Vec<u8>) -> Received {
        Received {
            method: self.method.clone(),
            target: self.target.clone(),
            fields: self.request.clone(),
            body,
        }
    }

    /// A property, by Envoy's path and in its encoding.
    pub(super) fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let (address, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let text = |text: &str| Some(text.as_bytes().to_vec());
        match path {
            ["source", "address"] if self.client_ip.contains(':') => {
                text(&format!("[{}]:40000", self.client_ip))
            }
            ["source", "address"] => text(&format!("{}:40000", self.client_ip)),
            ["request", "path"] => text(&self.target),
            ["request", "url_path"] => text(address),
            ["request", "query"] => text(query),
            ["request", "host"] => text(self.request.get("host")?),
            ["request", "scheme"] => text(self.scheme),
            ["request", "method"] => text(&self.method),
            ["request", "id"] => text(REQUEST_ID),
            ["request", "headers", name] => text(self.request.get(name)?),
            ["response", "headers", name] => text(self.response.as_ref()?.1.get(name)?),
            ["response", "code"] => Some(u64::from(self.response.as_ref()?.0).to_le_bytes().to_vec()),
            _ => None,
        }
    }
}
