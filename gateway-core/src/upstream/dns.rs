//! Names to addresses.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, rdata::SRV},
};

use crate::error::BoxError;

/// Looks up host names. The crate brings [`Dns`]; an embedder may bring its own.
pub trait Resolve: Send + Sync + fmt::Debug + 'static {
    /// The addresses of `name`, with how long they hold.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// A look-up under way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Resolved, BoxError>> + Send + 'a>>;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its addresses; never empty.
    pub addresses: Vec<Resolution>,
    /// How long they hold.
    pub ttl: Duration,
}

/// One address of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// The address.
    pub ip: IpAddr,
    /// The port, where an SRV record names it.
    pub port: Option<u16>,
    /// The weight, where an SRV record names it; its 0 counts as 1 (compat A 2.2).
    pub weight: Option<u16>,
    /// The name that an SRV record leads to: what the address is called where an upstream has `use_srv_name`.
    pub name: Option<Arc<str>>,
}

impl Resolution {
    /// Where it leads: to `port` where no SRV record says another one.
    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }
}

/// Name servers and the hosts file, through hickory: SRV records before A before AAAA, as Kong orders them.
///
/// ```
/// use gateway_core::upstream::{Dns, Resolve};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let localhost = Dns::system().resolve("localhost").await.unwrap();
/// assert!(localhost.addresses.iter().all(|found| found.ip.is_loopback()));
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Dns {
    /// Empty: the system's.
    servers: Vec<SocketAddr>,
    resolver: OnceLock<TokioResolver>,
}

impl Dns {
    /// A resolver as `/etc/resolv.conf` and `/etc/hosts` describe it; they are read at the first look-up.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A resolver that asks these servers in place of the system's. `/etc/hosts` goes first here too.
    #[must_use]
    pub fn servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { servers: servers.into_iter().collect(), resolver: OnceLock::new() }
    }

    fn resolver(&self) -> Result<&TokioResolver, NetError> {
        match self.resolver.get() {
            Some(resolver) => Ok(resolver),
            None => {
                let mut builder = if self.servers.is_empty() {
                    TokioResolver::builder_tokio()?
                } else {
                    TokioResolver::builder_with_config(
                        server_config(&self.servers),
                        TokioRuntimeProvider::default(),
                    )
                };
                builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
                let resolver = builder.build()?;
                Ok(self.resolver.get_or_init(|| resolver))
            }
        }
    }

    async fn services(&self, name: &str) -> Option<Resolved> {
        let found = self.resolver().ok()?.srv_lookup(name).await.ok()?;
        let records = || {
            found.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv),
                _ => None,
            })
        };
        let first = records().map(|srv| srv.priority).min()?;
        let mut addresses = Vec::new();
        for srv in records().filter(|srv| srv.priority == first) {
            addresses.extend(self.service(srv).await.into_iter().flatten());
        }
        (!addresses.is_empty()).then(|| Resolved { addresses, ttl: ttl(found.valid_until()) })
    }

    async fn service(&self, srv: &SRV) -> Result<Vec<Resolution>, NetError> {
        let ips = self.resolver()?.lookup_ip(srv.target.clone()).await?;
        let (port, weight) = (Some(srv.port), Some(srv.weight.max(1)));
        let target = srv.target.to_utf8();
        let name: Option<Arc<str>> = Some(target.trim_end_matches('.').into());
        Ok(ips.iter().map(|ip| Resolution { ip, port, weight, name: name.clone() }).collect())
    }

    async fn addresses(&self, name: &str) -> Result<Resolved, BoxError> {
        let found = self.resolver()?.lookup_ip(name).await?;
        let plain = |ip| Resolution { ip, port: None, weight: None, name: None };
        let mut addresses: Vec<_> = found.iter().map(plain).collect();
        if addresses.iter().any(|address| address.ip.is_ipv4()) {
            addresses.retain(|address| address.ip.is_ipv4());
        }
        if addresses.is_empty() {
            return Err(format!("{name} has no addresses").into());
        }
        Ok(Resolved { addresses, ttl: ttl(found.valid_until()) })
    }
}

impl Resolve for Dns {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            // A name of one label is a local one, without SRV records.
            if !name.contains('.') {
                return self.addresses(name).await;
            }
            // Both at once: a server that leaves one question open does not hold up the other's answer twice.
            let (services, addresses) = tokio::join!(self.services(name), self.addresses(name));
            services.map_or(addresses, Ok)
        })
    }
}

fn server_config(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let port = |mut connection: ConnectionConfig| {
            connection.port = address.port();
            connection
        };
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(port);
        NameServerConfig::new(address.ip(), true, connections.into())
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

fn ttl(valid_until: Instant) -> Duration {
    valid_until.saturating_duration_since(Instant::now())
}
