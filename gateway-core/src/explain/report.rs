//! The whole answer, as plain data.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::{
    config::Protocol,
    error::Reason,
    router::{Explanation, Label},
};

/// What comes of a request, and why. It serialises for tools and is [rendered](Self::render) for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The request, as the edge makes it.
    pub request: Asked,
    /// What comes of it.
    pub outcome: Outcome,
    /// Which route takes it, and why; nothing where the edge refuses it before.
    pub routing: Option<Explanation>,
    /// Routes that would match, were their services not switched off (`enabled: false`).
    pub switched_off: Vec<Label>,
    /// What goes to the service; nothing where no route with a service takes it.
    pub upstream: Option<ToUpstream>,
    /// The plugins of the route in the order they run.
    pub plugins: Vec<Step>,
    /// The targets that the balancer may pick from, and those it may not.
    pub endpoints: Vec<Candidate>,
    /// Where plugins may send it, or a copy of it, instead of to the service.
    pub elsewhere: Vec<Elsewhere>,
}

/// Another place that the plugins of a route may send requests to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Elsewhere {
    /// The service by its name or id, or `host:port`.
    pub destination: String,
    /// The targets there.
    pub endpoints: Vec<Candidate>,
}

/// The request, as the edge makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// How the client speaks, by its connection or by the word of a trusted peer.
    pub scheme: Protocol,
    /// The host to route by: canonical, or as it came where the edge refuses it.
    pub host: String,
    /// The port to route by.
    pub port: u16,
    /// The path to route by: canonical, or as it came where the edge refuses it.
    pub path: String,
    /// The query as it came.
    pub query: Option<String>,
    /// The TLS server name.
    pub sni: Option<String>,
    /// The client's address, by its connection or by the word of a trusted peer.
    pub client: IpAddr,
    /// Who it turns out to be once authenticated.
    pub consumer: Option<Label>,
    /// What the edge changed in it, a sentence each.
    pub changes: Vec<String>,
}

/// What comes of a request, plugins aside: any of them may answer before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether a route takes it.
    pub routed: bool,
    /// Why the gateway answers by itself, the word of `docs/reasons.md`; nothing where it forwards.
    pub reason: Option<&'static str>,
    /// The status of that answer.
    pub status: Option<u16>,
    /// The same in a sentence.
    pub says: String,
}

/// What goes to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ToUpstream {
    /// The service.
    pub service: Label,
    /// The URL asked for, by the service's host.
    pub url: String,
    /// The `Host` that is sent; nothing where each endpoint has its own.
    pub host: Option<String>,
    /// Where that comes from.
    pub host_from: &'static str,
    /// What the route takes off the path; nothing where it takes nothing off.
    pub stripped: Option<String>,
}

/// A plugin in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its place: higher runs first.
    pub priority: i32,
    /// The id of the configuration that it runs with; nothing where none applies to this request.
    pub id: Option<uuid::Uuid>,
    /// Where that applies: `global`, `service`, `route`, `route and consumer`.
    pub scope: Option<&'static str>,
    /// For how many consumers it has another configuration, which wins once they are authenticated.
    pub consumers: usize,
}

/// A target, at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The target, `host:port`.
    pub target: String,
    /// Its address; nothing where its name is not resolved.
    pub address: Option<SocketAddr>,
    /// Its share of the traffic.
    pub weight: u16,
    /// Whether the balancer may pick it; nothing where that is not known before its name is looked up.
    pub eligible: Option<bool>,
    /// Why, or why not.
    pub why: &'static str,
    /// The `Host` it is asked by, unless the client's goes on.
    pub host: String,
}

impl Outcome {
    /// The gateway forwards it.
    pub(crate) fn forwarded() -> Self {
        Self { routed: true, reason: None, status: None, says: "it is forwarded".into() }
    }

    /// The gateway answers for this reason.
    pub(crate) fn answered(routed: bool, reason: Reason) -> Self {
        let (status, message) = (reason.status().as_u16(), reason.message());
        let says = format!("answered by the gateway: {status} {message} ({reason})");
        Self { routed, reason: Some(reason.word()), status: Some(status), says }
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: u16, says: String) -> Self {
        (self.status, self.says) = (Some(status), says);
        self
    }
}
