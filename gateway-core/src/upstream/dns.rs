//! Names to addresses.

use std::{
    fmt,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::OnceLock,
    time::{Duration, Instant},
};

use hickory_resolver::{
    TokioResolver,
    net::NetError,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// The address.
    pub ip: IpAddr,
    /// The port, where an SRV record names it.
    pub port: Option<u16>,
    /// The weight, where an SRV record names it; its 0 counts as 1 (compat A 2.2).
    pub weight: Option<u16>,
}

/// The system's name servers and hosts file, through hickory: SRV records first, then A, then
/// AAAA, as Kong orders them.
#[derive(Debug, Default)]
pub struct Dns(OnceLock<TokioResolver>);

impl Dns {
    /// A resolver as `/etc/resolv.conf` and `/etc/hosts` describe it; they are read at the first look-up.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    fn resolver(&self) -> Result<&TokioResolver, NetError> {
        match self.0.get() {
            Some(resolver) => Ok(resolver),
            None => {
                let resolver = TokioResolver::builder_tokio()?.build()?;
                Ok(self.0.get_or_init(|| resolver))
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
        Ok(ips.iter().map(|ip| Resolution { ip, port, weight }).collect())
    }

    async fn addresses(&self, name: &str) -> Result<Resolved, BoxError> {
        let found = self.resolver()?.lookup_ip(name).await?;
        let plain = |ip| Resolution { ip, port: None, weight: None };
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
            // A name of one label is a local one; it has no SRV records worth the wait.
            let services = if name.contains('.') { self.services(name).await } else { None };
            match services {
                Some(resolved) => Ok(resolved),
                None => self.addresses(name).await,
            }
        })
    }
}

fn ttl(valid_until: Instant) -> Duration {
    valid_until.saturating_duration_since(Instant::now())
}
