//! The data set of the router: routes as a large installation has them, and the requests that they take.
//!
//! Deterministic: the same count gives the same routes on every machine, and a test holds their digest.
//!
//! - Half of the routes have hosts. A few tenants have thousands of routes, most have a handful. One host in ten is
//!   a wildcard (`*.tenant-7.example.com`), one in fifty ends in one.
//! - One route in ten has a regular expression: on a host, behind a prefix of its own, or on any host and without
//!   any text that all its paths start with (`~/[^/]+/orders-17/\d+$`). Tenants use the same expressions.
//! - One in ten asks for methods and one in twenty for a header.
//! - One in a hundred shares host and path with all others of its kind and differs in the value of `x-tenant` only.
//!
//! ```
//! use gateway_benches::routes::DataSet;
//!
//! let set = DataSet::new(100);
//! assert_eq!((set.routes.len(), set.requests.len()), (100, 100));
//! assert!(set.kong_yml().starts_with("_format_version"));
//! ```

mod kong;
mod shape;

use std::sync::Arc;

use gateway_core::{
    config::{Config, Route, Service},
    router::Head,
};
use http::{HeaderMap, Method};

use crate::random::Random;

/// How many routes the figures are about.
pub const ROUTES: usize = 50_000;

/// Routes, the services behind them, and requests.
#[derive(Debug)]
#[non_exhaustive]
pub struct DataSet {
    /// One for 50 routes.
    pub services: Vec<Arc<Service>>,
    /// The routes; the one at `n` leads to the service at `n % services.len()`.
    pub routes: Vec<Arc<Route>>,
    /// The request at `n` is taken by the route at `n`.
    pub requests: Vec<Request>,
}

/// A request, owned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its host, canonical.
    pub host: String,
    /// Its path, canonical.
    pub path: String,
    /// Its header fields: `accept`, and what the route asks for.
    pub headers: HeaderMap,
}

impl DataSet {
    /// The first `count` routes of the set that `count` gives: a smaller set is no part of a larger one, as the
    /// number of tenants grows along.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let services: Vec<_> = (0..count.div_ceil(50)).map(|number| Arc::new(service(number))).collect();
        let mut shapes = shape::Shapes::new(Random::new(3), count);
        let (routes, requests) =
            services.iter().cycle().take(count).map(|service| shapes.next(service)).unzip();
        Self { services, routes, requests }
    }

    /// The same as a configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.services = self.services.iter().map(|service| (service.id, Arc::clone(service))).collect();
        config.routes = self.routes.iter().map(|route| (route.id, Arc::clone(route))).collect();
        config
    }

    /// The same as a declarative file, which Kong loads too.
    #[must_use]
    pub fn kong_yml(&self) -> String {
        kong::write(self)
    }

    /// Places of up to `count` routes, spread over all, in no order.
    pub fn sample(&self, count: usize) -> impl Iterator<Item = usize> {
        // A large prime: a factor of no size that is used, so that each place comes at most once.
        let size = self.routes.len();
        (0..size.min(count)).map(move |at| at * 1_000_003 % size)
    }
}

impl Request {
    /// What the router sees of it.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        Head::new(&self.method, &self.host, &self.path, &self.headers)
    }
}

/// All on one address, where the harness has its upstream.
fn service(number: usize) -> Service {
    let mut service = Service::new(&format!("service-{number}"), "127.0.0.1");
    service.port = 9_000;
    service
}

#[cfg(test)]
mod tests;
