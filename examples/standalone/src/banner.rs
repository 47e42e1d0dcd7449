//! What the start says.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use gateway_core::config::Config;
use tracing::info;

use crate::{args::LogFormat, demo, output};

/// What there is to say.
pub(crate) struct Banner {
    /// The file or the store; none in the demo.
    pub(crate) what: Option<String>,
    pub(crate) clear: Vec<SocketAddr>,
    pub(crate) tls: Vec<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) workers: usize,
    /// Services, routes, plugins.
    pub(crate) counts: [usize; 3],
    pub(crate) took: Duration,
}

/// How many services, routes and plugins there are.
pub(crate) fn counts(config: &Config) -> [usize; 3] {
    [config.services.len(), config.routes.len(), config.plugins.len()]
}

impl Banner {
    /// Says it: to people as a few lines, to programs as one line of the log. `chosen` says that somebody
    /// asked for the format: then there is nothing else beside it.
    pub(crate) fn show(&self, format: LogFormat, chosen: bool) {
        match format {
            LogFormat::Text => output::complain(format_args!("{}", self.text())),
            LogFormat::Json => {
                self.log();
                // Who starts a demo is a person, wherever the output goes.
                if !chosen {
                    output::complain(format_args!("{}", self.invitation()));
                }
            }
        }
    }

    fn log(&self) {
        let [services, routes, plugins] = self.counts;
        info!(
            config = self.what,
            listen = addresses("", &self.clear),
            listen_tls = (!self.tls.is_empty()).then(|| addresses("", &self.tls)),
            admin = self.admin.map(|admin| admin.to_string()),
            workers = self.workers,
            services,
            routes,
            plugins,
            milliseconds = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "ready"
        );
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        self.write(&mut text).ok();
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let [services, routes, plugins] = self.counts;
        let demo = "a demo; `gateway kong.yml` serves a file of yours";
        let what = self.what.as_deref().unwrap_or(demo);
        writeln!(text, "gateway {}: {what}", env!("CARGO_PKG_VERSION"))?;
        let urls = [addresses("http://", &self.clear), addresses("https://", &self.tls)];
        let urls = urls.into_iter().filter(|urls| !urls.is_empty()).collect::<Vec<_>>().join(" ");
        writeln!(text, "  listening  {urls}  ({} workers)", self.workers)?;
        if let Some(admin) = self.admin {
            writeln!(text, "  admin      http://{admin}")?;
        }
        writeln!(text, "  serving    {services} services, {routes} routes, {plugins} plugins")?;
        writeln!(text, "  ready in {} ms", self.took.as_millis())?;
        text.push_str(&self.invitation());
        Ok(())
    }

    /// What to try, in the demo.
    fn invitation(&self) -> String {
        let (None, Some(address)) = (&self.what, self.clear.first()) else { return String::new() };
        let base = format!("http://{}", reachable(*address));
        let lines = demo::TRY
            .iter()
            .map(|(request, shows)| format!("  curl -i {}  # {shows}\n", request.replace("{base}", &base)));
        format!("\nTry:\n{}", lines.collect::<String>())
    }
}

fn addresses(scheme: &str, addresses: &[SocketAddr]) -> String {
    let list: Vec<_> = addresses.iter().map(|address| format!("{scheme}{address}")).collect();
    list.join(if scheme.is_empty() { "," } else { " " })
}

/// An address that can be asked, where the listener takes all.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}
