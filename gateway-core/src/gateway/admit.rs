//! The beginning of an exchange: a head that is canonical, and its route; or an answer at once.

use std::sync::Arc;

use http::{Response, request::Parts};

use super::Gateway;
use crate::{
    Body, ConnectInfo,
    error::Reason,
    plugin::{Exchange, UriCaptures},
    reply::{Asked, grpc_reply, https_reply, reply},
    router::Head,
    sanitize::{Canonical, Client, check_head, complete_refusal},
    snapshot::{Entry, Snapshot},
};

impl Gateway {
    /// Checks the head, finds the route, and turns the target into the upstream's.
    pub(super) fn admit(
        &self,
        parts: &mut Parts,
        exchange: &mut Exchange,
    ) -> Result<Arc<Entry>, Box<Response<Body>>> {
        exchange.asked = Asked::by(&parts.method, parts.version, &parts.headers);
        exchange.receive(parts, &self.shared.environment.outbound.trust);
        exchange.debug = self.shared.settings.debug_header && asks_for_debug(parts);
        let canonical =
            check_head(parts, &self.shared.settings.rules).map_err(|reason| refuse(reason, exchange))?;
        canonical.apply(parts, &self.shared.settings.rules);
        let snapshot = self.shared.snapshot.load();
        let entry =
            self.find(&snapshot, parts, &canonical, exchange).map_err(|reason| refuse(reason, exchange))?;
        exchange.accept(canonical);
        let identities = snapshot.identities();
        exchange.identities = (!identities.is_empty()).then(|| Arc::clone(identities));
        check_protocol(&entry, parts, exchange)?;
        Ok(entry)
    }

    /// The route of a request; its target becomes what the route's service is asked for.
    fn find(
        &self,
        snapshot: &Snapshot,
        parts: &mut Parts,
        canonical: &Canonical,
        exchange: &mut Exchange,
    ) -> Result<Arc<Entry>, Reason> {
        let head = head(parts, canonical, &exchange.client, &exchange.connection);
        let found = snapshot.router().find(&head).ok_or(Reason::NoRoute)?;
        let entry = Arc::clone(found.value);
        exchange.matched = Some(Arc::clone(&entry.matched));
        if entry.captures
            && let Some(captures) = found.captures(parts.uri.path())
        {
            let groups = captures.iter().map(|(name, value)| (name, value.unwrap_or_default()));
            exchange.extensions.insert(UriCaptures::new(groups));
        }
        exchange.stripped = if entry.route().strip_path { found.matched } else { 0 };
        if let Some(target) = entry.target(&parts.uri, exchange.stripped)? {
            parts.uri = target;
        }
        Ok(entry)
    }
}

/// A route tells a request that came by another protocol than its own what to do (compat P15, R17).
fn check_protocol(entry: &Entry, parts: &Parts, exchange: &mut Exchange) -> Result<(), Box<Response<Body>>> {
    let Some(reason) = entry.speaks.refuses(exchange.client.scheme, parts.version, &parts.headers) else {
        return Ok(());
    };
    exchange.reason = Some(reason);
    let (asked, id) = (exchange.asked, exchange.request_id);
    Err(Box::new(match reason {
        Reason::HttpsRequired => {
            let status = entry.route().https_redirect_status_code;
            https_reply(status, exchange.host.name(), &exchange.uri, asked, id)
        }
        reason => grpc_reply(reason, asked, id),
    }))
}

/// What of a canonical request takes part in routing.
pub(super) fn head<'a>(
    parts: &'a Parts,
    canonical: &'a Canonical,
    client: &Client,
    connection: &'a ConnectInfo,
) -> Head<'a> {
    Head {
        scheme: client.scheme,
        port: canonical.host.port().unwrap_or_else(|| client.scheme.default_port()),
        query: parts.uri.query(),
        sni: connection.tls().and_then(|tls| tls.sni.as_deref()),
        source: Some((client.ip, connection.peer().port()).into()),
        destination: Some(connection.local()),
        ..Head::new(&parts.method, canonical.host.name(), parts.uri.path(), &parts.headers)
    }
}

/// Whether the client asks how it was routed (compat P52).
fn asks_for_debug(parts: &Parts) -> bool {
    parts.headers.get("kong-debug").is_some_and(|value| value == "1")
}

/// Answers a request that goes no further.
fn refuse(reason: Reason, exchange: &mut Exchange) -> Box<Response<Body>> {
    exchange.reason = Some(reason);
    let mut response = reply(reason, exchange.asked, exchange.request_id);
    complete_refusal(reason, response.headers_mut());
    Box::new(response)
}
