//! Why a request goes where it goes, found out without sending it.

use std::{cmp::Reverse, collections::BTreeMap, net::SocketAddr, sync::Arc};

use http::{HeaderValue, Uri, Version, request::Parts};
use uuid::Uuid;

use super::{Gateway, admit};
use crate::{
    ConnectInfo,
    config::{Config, Consumer, Plugin, Protocol, Route, Service},
    error::Reason,
    explain::{Asked, Candidate, Elsewhere, Outcome, Question, QuestionError, Report, Step, ToUpstream},
    forwarder::Branch,
    plugin::{Destination, Scope, Scoped, by_consumer},
    router::{Explanation, Head, Label, Router},
    sanitize::{Canonical, Client, check_head},
    snapshot::{Entry, Snapshot},
    upstream::{Backend, Known, Member},
};

impl Gateway {
    /// Why the request of `question` goes where it goes: a dry run through all that it would meet, up to the
    /// endpoints it might reach. Nothing is sent, counted or looked up. It compiles every route anew, so call it
    /// from a thread that may wait.
    ///
    /// # Errors
    /// Where the question is no request, or names a consumer that is not there.
    pub fn explain(&self, question: &Question) -> Result<Report, QuestionError> {
        let (mut parts, connection) = question.head()?;
        let snapshot = self.snapshot();
        let name = question.consumer.as_deref();
        let consumer = name.map(|name| consumer(snapshot.config(), name)).transpose()?;
        let settings = &self.shared.settings;
        let client = settings.trust.client(&parts.headers, &connection);
        let received = parts.clone();
        let checked = check_head(&parts, &settings.rules);
        if let Ok(canonical) = &checked {
            canonical.apply(&mut parts, &settings.rules);
        }
        let asked = asked(&received, &parts, checked.as_ref().ok(), &client, &connection, consumer);
        let inquiry = Inquiry { gateway: self, snapshot: &snapshot, consumer };
        Ok(match checked {
            Err(reason) => refused(asked, reason),
            Ok(canonical) => {
                let head = admit::head(&parts, &canonical, &client, &connection);
                inquiry.routed(asked, &head, &parts.uri, &canonical)
            }
        })
    }
}

fn consumer<'c>(config: &'c Config, name: &str) -> Result<&'c Arc<Consumer>, QuestionError> {
    let is_named = |consumer: &&Arc<Consumer>| {
        let names = [consumer.username.as_deref(), consumer.custom_id.as_deref()];
        names.contains(&Some(name)) || consumer.id.to_string() == name
    };
    let unknown = || QuestionError::new("consumer", format!("there is no consumer `{name}`"));
    config.consumers.values().find(is_named).ok_or_else(unknown)
}

fn asked(
    received: &Parts,
    parts: &Parts,
    canonical: Option<&Canonical>,
    client: &Client,
    connection: &ConnectInfo,
    consumer: Option<&Arc<Consumer>>,
) -> Asked {
    let told = received.headers.get(http::header::HOST);
    let told = told.map(text).unwrap_or_default();
    let mut changes = Vec::new();
    if let Some(host) =
        canonical.map(|canonical| canonical.host.value()).filter(|host| *host != told.as_str())
    {
        changes.push(format!("host: `{told}` is read as `{}`", text(host)));
    }
    if received.uri.path() != parts.uri.path() {
        changes.push(format!("path: `{}` is read as `{}`", received.uri.path(), parts.uri.path()));
    }
    let host = canonical.map(|canonical| canonical.host.name().to_owned());
    let port = canonical.map_or(Some(connection.local().port()), |canonical| canonical.host.port());
    Asked {
        method: parts.method.to_string(),
        scheme: client.scheme,
        host: host.unwrap_or(told),
        port: port.unwrap_or_else(|| client.scheme.default_port()),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        sni: connection.tls().and_then(|tls| tls.sni.as_deref()).map(str::to_owned),
        client: client.ip,
        consumer: consumer.map(|consumer| Label::new(consumer.id, consumer.username.as_deref())),
        changes,
    }
}

/// The edge answers.
fn refused(request: Asked, reason: Reason) -> Report {
    Report {
        request,
        outcome: Outcome::answered(false, reason),
        routing: None,
        switched_off: Vec::new(),
        upstream: None,
        plugins: Vec::new(),
        endpoints: Vec::new(),
        elsewhere: Vec::new(),
    }
}

/// What one question is answered from.
struct Inquiry<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Snapshot,
    consumer: Option<&'a Arc<Consumer>>,
}

impl Inquiry<'_> {
    /// The router has its say.
    fn routed(&self, request: Asked, head: &Head<'_>, target: &Uri, canonical: &Canonical) -> Report {
        let routing = self.snapshot.router().explain(head);
        let switched_off = self.switched_off(head);
        let entry = self.entry(&routing);
        let matched = routing.taken.as_ref().map_or(0, |taken| taken.matched);
        let mut report = refused(request, Reason::NoRoute);
        (report.routing, report.switched_off) = (Some(routing), switched_off);
        let Some(entry) = entry else { return report };
        let stripped = if entry.route().strip_path { matched } else { 0 };
        if let Some(answer) = before_plugins(entry, head, target, stripped) {
            return Report { outcome: answer, ..report };
        }
        report.plugins = self.plugins(entry.route());
        let service = entry.matched.service.as_ref();
        let Some((service, backend)) = service.and_then(|it| Some((it, self.snapshot.backend(it.id)?)))
        else {
            return Report { outcome: Outcome::answered(true, Reason::NoService), ..report };
        };
        report.upstream = to_upstream(entry, (service, backend), target, stripped, canonical);
        report.endpoints = candidates(backend);
        report.elsewhere = elsewhere(entry);
        let empty = backend.upstream.outage();
        report.outcome = empty.map_or_else(Outcome::forwarded, |reason| Outcome::answered(true, reason));
        report
    }

    fn entry(&self, routing: &Explanation) -> Option<&Entry> {
        let taken = routing.taken.as_ref()?;
        let mut routes = self.snapshot.router().iter();
        routes.find(|(route, _)| route.id == taken.route.id).map(|(_, entry)| entry.as_ref())
    }

    /// The routes of services that are switched off are in no router (compat A50).
    fn switched_off(&self, head: &Head<'_>) -> Vec<Label> {
        let config = self.snapshot.config();
        let service = |route: &Route| route.service.and_then(|service| config.services.get(&service.id));
        let is_off = |route: &&Arc<Route>| service(route).is_some_and(|service| !service.enabled);
        let routes = config.routes.values().filter(is_off).map(|route| (Arc::clone(route), ()));
        let Ok(router) = Router::with_flavor(self.snapshot.router().dialect(), routes) else {
            return Vec::new();
        };
        let routing = router.explain(head);
        let others = routing.runners_up.into_iter().map(|other| other.route);
        routing.taken.into_iter().map(|taken| taken.route).chain(others).collect()
    }

    /// The chain of a route, in the order that [`Chain`](crate::plugin::Chain) runs it.
    fn plugins(&self, route: &Route) -> Vec<Step> {
        let registry = self.gateway.plugins();
        let mut families = BTreeMap::<&str, Vec<&Plugin>>::new();
        for plugin in self.snapshot.config().plugins.values().filter(|plugin| applies(plugin, route)) {
            families.entry(plugin.name.as_str()).or_default().push(plugin.as_ref());
        }
        let priority = |name: &str| registry.get(name).map_or(0, |plugin| plugin.priority());
        let mut chain: Vec<_> =
            families.into_iter().map(|(name, list)| (priority(name), name, list)).collect();
        chain.sort_by_key(|(priority, name, _)| Reverse((*priority, *name)));
        chain.into_iter().map(|(priority, name, list)| self.step(name, priority, &list)).collect()
    }

    fn step(&self, name: &str, priority: i32, plugins: &[&Plugin]) -> Step {
        let mut scoped = Scoped::default();
        let mut levels = BTreeMap::<Scope, Vec<(&Plugin, &Plugin)>>::new();
        for plugin in plugins {
            match Scope::of(plugin) {
                scope if scope.names_callers() => levels.entry(scope).or_default().push((*plugin, *plugin)),
                scope => scoped.insert(scope, *plugin),
            }
        }
        let mut known = Vec::new();
        for (scope, plugins) in levels {
            let callers = by_consumer(plugins, &self.snapshot.config().consumer_groups);
            known.extend(callers.keys().copied());
            scoped.insert_by_consumer(scope, Arc::new(callers));
        }
        let consumer = self.consumer.map(|consumer| consumer.id);
        let resolved = scoped.resolve(consumer);
        known.sort_unstable();
        known.dedup();
        // Only those whose own configuration would win over the one shown.
        let wins =
            |id: &Uuid| scoped.resolve(Some(*id)).map(|(scope, _)| scope) != resolved.map(|(scope, _)| scope);
        let others = known.iter().filter(|id| Some(**id) != consumer && wins(id)).count();
        Step {
            name: name.to_owned(),
            priority,
            id: resolved.map(|(_, plugin)| plugin.id),
            scope: resolved.map(|(scope, _)| scope.words()),
            consumers: others,
        }
    }
}

/// The answer of a gateway that does not even run the plugins.
fn before_plugins(entry: &Entry, head: &Head<'_>, target: &Uri, stripped: usize) -> Option<Outcome> {
    if let Err(reason) = entry.target(target, stripped) {
        return Some(Outcome::answered(true, reason));
    }
    // A question says nothing of the version: gRPC comes by HTTP/2.
    let reason = entry.speaks.refuses(head.scheme, Version::HTTP_2, head.headers)?;
    if reason != Reason::HttpsRequired {
        return Some(Outcome::answered(true, reason));
    }
    let status = entry.route().https_redirect_status_code;
    let says = format!("answered by the gateway: {status}, the route serves https only (https_required)");
    Some(Outcome::answered(true, reason).with_status(status, says))
}

/// Whether a plugin entity may have a part in the chain of `route`.
fn applies(plugin: &Plugin, route: &Route) -> bool {
    let http = |protocol: &Protocol| {
        matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs)
    };
    plugin.enabled
        && plugin.protocols.iter().any(http)
        && plugin.route.is_none_or(|reference| reference.id == route.id)
        && plugin.service.is_none_or(|reference| route.service == Some(reference))
}

fn to_upstream(
    entry: &Entry,
    (service, backend): (&Service, &Backend),
    target: &Uri,
    stripped: usize,
    canonical: &Canonical,
) -> Option<ToUpstream> {
    let changed = entry.target(target, stripped).ok()?;
    let sent = changed.as_ref().unwrap_or(target).path_and_query().map_or("/", |target| target.as_str());
    let scheme = if service.protocol.is_tls() { "https" } else { "http" };
    let group = backend.upstream.group();
    // The port of a service does not count where its host names an upstream.
    let counts = group.is_of_service(service) && service.port != service.protocol.default_port();
    let port = if counts { format!(":{}", service.port) } else { String::new() };
    let (host, host_from) = if entry.route().preserve_host {
        (Some(text(canonical.host.value())), "the client's (preserve_host is on)")
    } else if group.host_header.is_some() {
        (only_host(backend), "by the upstream's host_header")
    } else {
        (only_host(backend), "the endpoint's own (preserve_host is off)")
    };
    Some(ToUpstream {
        service: Label::new(service.id, service.name.as_deref()),
        url: format!("{scheme}://{}{port}{sent}", service.host),
        host,
        host_from,
        stripped: target.path().get(..stripped).filter(|prefix| !prefix.is_empty()).map(str::to_owned),
    })
}

/// What all endpoints are called in `Host`, if that is the same.
fn only_host(backend: &Backend) -> Option<String> {
    let mut hosts = candidates(backend).into_iter().map(|candidate| candidate.host);
    let first = hosts.next()?;
    hosts.all(|host| host == first).then_some(first)
}

/// Where the plugins of a route may send requests.
fn elsewhere(entry: &Entry) -> Vec<Elsewhere> {
    let other = |(destination, branch): &(Arc<Destination>, Branch)| Elsewhere {
        destination: destination.to_string(),
        endpoints: candidates(&branch.backend),
    };
    entry.chain.forwarder().others().iter().map(other).collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The targets of a backend as the balancer knows them at this moment.
fn candidates(backend: &Backend) -> Vec<Candidate> {
    let failed = backend.upstream.outage() == Some(Reason::DnsError);
    let mut candidates = Vec::new();
    for (member, addresses) in backend.upstream.known(backend.subset.as_deref()) {
        if member.weight > 0 && !addresses.is_empty() {
            let each = addresses.into_iter();
            candidates.extend(each.map(|known| {
                let found = "it has an address and a weight above 0";
                let why = match known {
                    Known { well: false, .. } => "it is unhealthy",
                    Known { is_spare: true, .. } => {
                        "others of a lower group or of this zone take all requests"
                    }
                    _ => found,
                };
                let standing = (Some(known.well && !known.is_spare), why);
                candidate(backend, member, Some((known.address, known.weight)), standing)
            }));
            continue;
        }
        let standing = match (member.weight, failed) {
            (0, _) => (Some(false), "weight 0 gets nothing"),
            (_, true) => (Some(false), "its name does not resolve"),
            (_, false) => (None, "its name is looked up at the first request"),
        };
        candidates.push(candidate(backend, member, None, standing));
    }
    candidates
}

fn candidate(
    backend: &Backend,
    member: &Member,
    found: Option<(SocketAddr, u16)>,
    (eligible, why): (Option<bool>, &'static str),
) -> Candidate {
    let (address, weight) = found.unzip();
    let hosts = backend.upstream.hosts(member, address);
    Candidate {
        target: format!("{}:{}", member.bracketed(), member.port),
        address,
        weight: weight.unwrap_or(member.weight),
        eligible,
        why,
        host: text(if backend.transport.config().is_some() { &hosts.tls } else { &hosts.clear }),
    }
}
