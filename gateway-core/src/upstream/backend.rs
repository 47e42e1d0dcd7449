//! Where the requests of a service go.

use std::{sync::Arc, time::Duration};

use super::{Transport, Upstream};
use crate::config::Service;

/// A service, ready to forward to: its endpoints, how to speak to them, and its limits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Backend {
    /// The endpoints.
    pub upstream: Arc<Upstream>,
    /// The subset of them that takes the requests. Default: all do.
    pub subset: Option<Arc<str>>,
    /// HTTP/1.1 or HTTP/2, in clear or over TLS.
    pub transport: Transport,
    /// To make a connection.
    pub connect_timeout: Duration,
    /// Between two writes.
    pub write_timeout: Duration,
    /// Between two reads.
    pub read_timeout: Duration,
    /// Further tries after a first one that failed in transport.
    pub retries: u32,
}

/// Which `Host` the upstream sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPolicy {
    /// The endpoint's own, or the upstream's `host_header`.
    Endpoint,
    /// The client's (`preserve_host`).
    Client,
}

/// Equal backends share their live state: the same endpoints, spoken to in the same way.
impl PartialEq for Backend {
    fn eq(&self, other: &Self) -> bool {
        let limits = |it: &Self| (it.connect_timeout, it.write_timeout, it.read_timeout, it.retries);
        Arc::ptr_eq(&self.upstream, &other.upstream)
            && self.subset == other.subset
            && self.transport == other.transport
            && limits(self) == limits(other)
    }
}

impl Backend {
    /// The limits of `service` around `upstream`.
    #[must_use]
    pub fn new(service: &Service, upstream: Arc<Upstream>, transport: Transport) -> Self {
        let milliseconds = |value: u32| Duration::from_millis(u64::from(value));
        Self {
            upstream,
            subset: None,
            transport,
            connect_timeout: milliseconds(service.connect_timeout),
            write_timeout: milliseconds(service.write_timeout),
            read_timeout: milliseconds(service.read_timeout),
            retries: u32::from(service.retries),
        }
    }

    /// The same within a subset of the endpoints.
    #[must_use]
    pub fn within(mut self, subset: Option<&str>) -> Self {
        self.subset = subset.map(Into::into);
        self
    }
}
