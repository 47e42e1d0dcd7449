//! Several versions of a plugin side by side.

use std::{fmt, hash::Hasher as _, net::IpAddr, sync::Arc};

use gateway_core::{
    Body,
    config::{self, schema::Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin, Reading},
    split::Shares,
};
use http::{Request, Response};
use serde_json::Value;
use siphasher::sip::SipHasher13;

use crate::WasmPlugin;

/// One version of a plugin.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) plugin: WasmPlugin,
    /// What tells it from the others.
    pub(crate) label: Arc<str>,
    /// How much of all clients see it.
    pub(crate) percent: u16,
}

/// A plugin in several versions. Every configuration is taken by all of them, or by none; who calls says which of them
/// takes a request. Name, place in the chain and table of fields are those of the first.
pub(crate) struct Versions {
    name: Arc<str>,
    first: Version,
    others: Vec<Version>,
    shares: Arc<Shares>,
    told: String,
}

impl Versions {
    /// None where nobody sees any of them.
    pub(crate) fn new(first: Version, others: Vec<Version>) -> Option<Self> {
        let all = || std::iter::once(&first).chain(&others);
        let shares = Shares::new(&all().map(|version| version.percent).collect::<Vec<_>>())?;
        let told: Vec<_> =
            all().map(|version| format!("{} ({} %)", version.label, version.percent)).collect();
        let name = first.plugin.name().into();
        Some(Self { name, shares: Arc::new(shares), told: told.join(", "), first, others })
    }

    fn configured(
        &self,
        configure: impl Fn(&WasmPlugin) -> Result<Configured, String>,
    ) -> Result<Configured, String> {
        let mut takes = Vec::new();
        for version in std::iter::once(&self.first).chain(&self.others) {
            let configured = configure(&version.plugin);
            let configured = configured.map_err(|error| format!("version {}: {error}", version.label))?;
            let Configured::Handler(handler) = configured else {
                return Err(format!("version {}: it has no phases", version.label));
            };
            takes.push(Take { handler, label: Arc::clone(&version.label) });
        }
        let (plugin, shares) = (Arc::clone(&self.name), Arc::clone(&self.shares));
        Ok(Configured::handler(SideBySide { plugin, takes: takes.into(), shares }))
    }
}

impl Plugin for Versions {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        self.first.plugin.priority()
    }

    fn version(&self) -> &str {
        &self.told
    }

    fn schema(&self) -> &Record {
        self.first.plugin.schema()
    }

    fn readings(&self) -> Vec<Reading> {
        let all = std::iter::once(&self.first).chain(&self.others);
        all.flat_map(|version| version.plugin.readings()).collect()
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        self.configured(|plugin| plugin.configure(config))
    }

    fn configure_entity(&self, entity: &config::Plugin) -> Result<Configured, String> {
        self.configured(|plugin| plugin.configure_entity(entity))
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versions")
            .field("name", &self.name)
            .field("versions", &self.told)
            .finish_non_exhaustive()
    }
}

/// A configuration in all versions.
struct SideBySide {
    plugin: Arc<str>,
    takes: Box<[Take]>,
    shares: Arc<Shares>,
}

/// A configuration in one version.
struct Take {
    handler: Arc<dyn Handler>,
    label: Arc<str>,
}

impl SideBySide {
    /// The version for a request. All of its phases find the same one, whatever becomes of the request meanwhile.
    fn chosen(&self, exchange: &Exchange) -> Option<&Take> {
        self.takes.get(self.shares.of(lot(&self.plugin, exchange.client.ip)))
    }

    fn noted(&self, exchange: &mut Exchange) -> Option<&Take> {
        let chosen = self.chosen(exchange)?;
        exchange.note_version(&self.plugin, &chosen.label);
        Some(chosen)
    }
}

impl Handler for SideBySide {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        self.noted(exchange).map_or(Flow::Continue, |take| take.handler.on_request(request, exchange))
    }

    fn on_skipped(&self, request: &Request<Body>, exchange: &mut Exchange) {
        if let Some(take) = self.chosen(exchange) {
            take.handler.on_skipped(request, exchange);
        }
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        self.noted(exchange).map_or(Flow::Continue, |take| take.handler.on_response(response, exchange))
    }

    fn wants_captures(&self) -> bool {
        self.takes.iter().any(|take| take.handler.wants_captures())
    }

    fn on_log(&self, exchange: &Exchange) {
        if let Some(take) = self.chosen(exchange) {
            take.handler.on_log(exchange);
        }
    }
}

/// Where a client stands among all, the same on all nodes and after each start. Another plugin's clients stand elsewhere, so
/// that not the same ones see all that is new.
fn lot(plugin: &str, client: IpAddr) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(plugin.as_bytes());
    match client {
        IpAddr::V4(address) => hasher.write(&address.octets()),
        IpAddr::V6(address) => hasher.write(&address.octets()),
    }
    // The lower half is as good as any.
    u32::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use gateway_core::split::Shares;

    use super::lot;

    #[test]
    fn clients_are_spread_and_stay_where_they_are_as_a_share_grows() {
        let clients: Vec<IpAddr> =
            (0..10_000_u32).map(|n| Ipv4Addr::from(0x0a00_0000 + n * 7).into()).collect();
        let new = |percent: u16| {
            let shares = Shares::new(&[100 - percent, percent]).unwrap();
            move |client: &&IpAddr| shares.of(lot("geo", **client)) == 1
        };
        let few = clients.iter().filter(new(10)).count();
        assert!((900..1_100).contains(&few), "{few}");
        let many = new(50);
        assert!(clients.iter().filter(new(10)).all(|client| many(&client)));
        let both = clients
            .iter()
            .filter(new(10))
            .filter(|client| lot("other", **client) > u32::MAX / 10 * 9)
            .count();
        assert!((50..200).contains(&both), "two plugins choose by themselves: {both}");
    }
}
