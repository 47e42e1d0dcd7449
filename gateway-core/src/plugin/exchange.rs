//! One request under way: what the gateway knows of it beside the message itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Extensions, HeaderMap, Method, StatusCode, Uri, Version, request::Parts, uri::PathAndQuery};

use super::{Destination, Ways};
use crate::{
    ConnectInfo, RequestId,
    config::{Consumer, Credential, Route, Service},
    error::Reason,
    identity::{As, Identities, Identity},
    reply::Asked,
    sanitize::{Canonical, Client, Host, Trailers, Trust, Upgrade},
};

/// A request under way, as plugins, metrics and the access log see it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The connection it came on.
    pub connection: Arc<ConnectInfo>,
    /// Its id, in the log, in `X-Kong-Request-Id` and in error bodies.
    pub request_id: RequestId,
    /// When its head had been read.
    pub started: Instant,
    /// The method as received.
    pub method: Method,
    /// The target as received.
    pub uri: Uri,
    /// The HTTP version as received.
    pub version: Version,
    /// Who sent it: the peer, or what a trusted peer says.
    pub client: Client,
    /// The route that matched and its service.
    pub matched: Option<Arc<Matched>>,
    /// Who calls, once a plugin has found out.
    pub consumer: Option<Arc<Consumer>>,
    /// By which credential.
    pub credential: Option<Arc<Credential>>,
    /// Who may call, as the configuration of this request has it; none where there is nobody.
    pub identities: Option<Arc<Identities>>,
    /// Why the gateway answered by itself, or the answer was cut.
    pub reason: Option<Reason>,
    /// Who made the answer.
    pub source: Source,
    /// The status sent to the client.
    pub status: StatusCode,
    /// What took how long.
    pub timings: Timings,
    /// Where it goes instead of to the route's own service, once a plugin has chosen ([`Exchange::send_to`]).
    pub destination: Option<Arc<Destination>>,
    /// The endpoint that was tried last.
    pub endpoint: Option<std::net::SocketAddr>,
    /// Tries made, 0 where nothing was forwarded.
    pub tries: u32,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// The worker that serves it.
    pub shard: usize,
    /// The form in which the client takes the gateway's own answers.
    pub asked: Asked,
    /// The host it is for, canonical.
    pub host: Host,
    /// The target in canonical form, where the one received was not.
    canonical: Option<PathAndQuery>,
    /// How many bytes of the canonical path the route has taken off.
    pub stripped: usize,
    /// The WebSocket handshake that the client asks for.
    pub upgrade: Option<Upgrade>,
    /// Whether the client waits for `100 Continue` before it sends the body. The field `Expect` itself is gone.
    pub expects_continue: bool,
    /// Whether the client takes trailers.
    pub trailers: Trailers,
    /// The HTTP version of the upstream's answer.
    pub answered_in: Version,
    /// Whether the client asks how it was routed (`Kong-Debug: 1`).
    pub debug: bool,
    /// Free room for plugins to talk to each other within the request.
    pub extensions: Extensions,
}

/// What the route's regular expression took out of the path. It stands in [`Exchange::extensions`] where
/// something asks for it, as consistent hashing on `uri_capture` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UriCaptures(Box<[Group]>);

/// The name of a group, if it has one, and its value.
type Group = (Option<Box<str>>, Box<str>);

impl UriCaptures {
    /// Groups from number 1 on, with their names; one that took no part is empty.
    pub fn new<'a>(groups: impl IntoIterator<Item = (Option<&'a str>, &'a str)>) -> Self {
        Self(groups.into_iter().map(|(name, value)| (name.map(Into::into), value.into())).collect())
    }

    /// The group of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.as_deref() == Some(name)).map(|(_, value)| &**value)
    }

    /// The group of this number, from 1.
    #[must_use]
    pub fn at(&self, number: usize) -> Option<&str> {
        self.0.get(number.checked_sub(1)?).map(|(_, value)| &**value)
    }
}

/// A route and its service, as one shared value.
#[derive(Debug)]
#[non_exhaustive]
pub struct Matched {
    /// The route.
    pub route: Arc<Route>,
    /// Its service.
    pub service: Option<Arc<Service>>,
    /// Where its plugins may send requests instead.
    pub ways: Ways,
}

impl Matched {
    /// A route and its service; its plugins send no request elsewhere.
    #[must_use]
    pub fn new(route: Arc<Route>, service: Option<Arc<Service>>) -> Self {
        Self { route, service, ways: Ways::default() }
    }
}

/// Who made the answer, as Kong's log serializer says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A plugin, or the gateway where no upstream was involved.
    #[default]
    Exit,
    /// The gateway, because the upstream failed.
    Error,
    /// The upstream.
    Service,
}

impl Source {
    /// The word of the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Error => "error",
            Self::Service => "service",
        }
    }
}

/// What took how long, measured from [`Exchange::started`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Timings {
    /// Until the request was handed to the first endpoint.
    pub forwarded: Option<Duration>,
    /// Until the head of the upstream's response was there.
    pub responded: Option<Duration>,
    /// Until the last byte of the response was handed to the connection.
    pub finished: Option<Duration>,
}

impl Exchange {
    /// An exchange that begins now.
    #[must_use]
    pub fn new(connection: Arc<ConnectInfo>) -> Self {
        Self {
            client: Client {
                ip: connection.peer().ip().to_canonical(),
                scheme: connection.scheme(),
                trusted: false,
            },
            connection,
            request_id: RequestId::random(),
            started: Instant::now(),
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
            matched: None,
            consumer: None,
            credential: None,
            identities: None,
            reason: None,
            source: Source::Exit,
            status: StatusCode::OK,
            timings: Timings::default(),
            destination: None,
            endpoint: None,
            tries: 0,
            request_bytes: 0,
            response_bytes: 0,
            shard: 0,
            asked: Asked::default(),
            host: Host::none(),
            canonical: None,
            stripped: 0,
            upgrade: None,
            expects_continue: false,
            trailers: Trailers::Drop,
            answered_in: Version::HTTP_11,
            debug: false,
            extensions: Extensions::new(),
        }
    }

    /// Notes the head as it was received.
    pub(crate) fn receive(&mut self, parts: &Parts, trust: &Trust) {
        self.method = parts.method.clone();
        self.uri = parts.uri.clone();
        self.version = parts.version;
        self.client = trust.client(&parts.headers, &self.connection);
    }

    /// Notes the head in canonical form.
    pub(crate) fn accept(&mut self, canonical: Canonical) {
        self.host = canonical.host;
        self.canonical = canonical.target;
        self.upgrade = canonical.upgrade;
        self.expects_continue = canonical.expects_continue;
        self.trailers = canonical.trailers;
    }

    /// The canonical path of the request, before the route changed it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.canonical.as_ref().map_or_else(|| self.uri.path(), PathAndQuery::path)
    }

    /// The canonical path and query of the request, before the route changed it.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        let target = self.canonical.as_ref().or_else(|| self.uri.path_and_query());
        target.map_or("/", PathAndQuery::as_str)
    }

    /// Makes somebody the request's consumer: plugins of lower priority run with the configurations of that consumer,
    /// and `headers`, which are to be the request's, tell the upstream who it is.
    pub fn authenticate(&mut self, identity: &Identity, how: As, headers: &mut HeaderMap) {
        identity.write(how, headers);
        self.identify(identity);
    }

    /// The same, for a request whose header fields tell the upstream already ([`Identity::write`]).
    pub fn identify(&mut self, identity: &Identity) {
        self.consumer = Some(Arc::clone(identity.consumer()));
        self.credential = identity.credential().cloned();
    }

    /// The request's consumer with its groups, where the configuration has it.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        let identities = self.identities.as_deref()?;
        let by_credential = self.credential.as_ref().and_then(|it| identities.by_credential(it.id));
        by_credential.or_else(|| identities.consumer(self.consumer.as_ref()?.id))
    }

    /// What the route has taken off the path.
    #[must_use]
    pub fn stripped_prefix(&self) -> &str {
        self.path().get(..self.stripped).unwrap_or_default()
    }

    /// The route that matched.
    #[must_use]
    pub fn route(&self) -> Option<&Arc<Route>> {
        self.matched.as_ref().map(|matched| &matched.route)
    }

    /// The service behind it.
    #[must_use]
    pub fn service(&self) -> Option<&Arc<Service>> {
        self.matched.as_ref().and_then(|matched| matched.service.as_ref())
    }
}
