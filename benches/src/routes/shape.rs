//! What the routes look like, one after the other.

use std::{collections::HashMap, sync::Arc};

use gateway_core::config::{Route, Service};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::ACCEPT};

use super::Request;
use crate::random::Random;

const RESOURCES: [&str; 16] = [
    "users", "orders", "invoices", "carts", "items", "prices", "stock", "search", "login", "teams", "events",
    "reports", "files", "messages", "payments", "webhooks",
];

/// Makes routes.
pub(super) struct Shapes {
    random: Random,
    /// The number of the next route.
    number: usize,
    /// There are two to this power tenants.
    tenants: u64,
    /// How many routes each tenant has so far.
    used: HashMap<u64, usize>,
}

/// Where a route stands, before what makes it special.
struct Place {
    /// What the route says and what the request says.
    host: Option<(String, String)>,
    /// A prefix that no other route of this host has.
    prefix: String,
}

impl Shapes {
    pub(super) fn new(random: Random, count: usize) -> Self {
        let tenants = u64::from((count / 10).max(1).ilog2());
        Self { random, number: 0, tenants, used: HashMap::new() }
    }

    /// The next route, which leads to `service`, and the request that it takes.
    pub(super) fn next(&mut self, service: &Service) -> (Arc<Route>, Request) {
        let mut route = Route::new(&format!("route-{}", self.number)).to(service);
        let request = match self.number % 100 {
            99 => self.by_tenant(&mut route),
            _ => self.ordinary(&mut route),
        };
        self.number += 1;
        (Arc::new(route), request)
    }

    /// One of many that differ in nothing but the value of a header.
    fn by_tenant(&self, route: &mut Route) -> Request {
        let tenant = format!("t-{}", self.number);
        route.paths = Some(vec!["/graphql".into()]);
        ask(route, "x-tenant", &tenant);
        request("graphql.example.com", "/graphql".into(), &[("x-tenant", &tenant)])
    }

    fn ordinary(&mut self, route: &mut Route) -> Request {
        let place = self.place();
        let (own, host) = place.host.unzip();
        route.hosts = own.map(|own| vec![own]);
        let host = host.unwrap_or_else(|| "api.example.com".into());
        if self.random.percent(10) {
            let path = self.expression(route, &place.prefix);
            return request(&host, path, &[]);
        }
        route.paths = Some(vec![place.prefix.clone()]);
        let path = place.prefix + ["", "/", "/42", "/list/of/all"][self.random.below(4) as usize];
        match self.random.below(100) {
            0..11 => {
                let method = if self.random.percent(50) { Method::POST } else { Method::PUT };
                route.methods = Some(vec![method.to_string(), "PATCH".into()]);
                Request { method, ..request(&host, path, &[]) }
            }
            11..17 => {
                let version = (2 + self.random.below(3)).to_string();
                ask(route, "x-version", &version);
                request(&host, path, &[("x-version", &version)])
            }
            _ => request(&host, path, &[]),
        }
    }

    fn place(&mut self) -> Place {
        if self.random.percent(50) {
            let (team, number) = (self.random.skewed(8), self.number);
            let resource = RESOURCES[self.random.below(16) as usize];
            return Place { host: None, prefix: format!("/team-{team}/{resource}-{number}/v1") };
        }
        let tenant = self.random.skewed(self.tenants);
        let used = self.used.entry(tenant).or_default();
        let (resource, round) = (RESOURCES[*used % 16], *used / 16);
        *used += 1;
        let prefix =
            if round == 0 { format!("/v1/{resource}") } else { format!("/v1/{resource}/{round}/of") };
        Place { host: Some(host(tenant)), prefix }
    }

    /// An expression in place of `prefix`; the path that it takes.
    fn expression(&mut self, route: &mut Route, prefix: &str) -> String {
        let number = self.number;
        let on_any_host = route.hosts.is_none();
        let (expression, path) = match self.random.below(if on_any_host { 6 } else { 3 }) {
            0 => (format!(r"{prefix}/(?<id>\d+)$"), format!("{prefix}/{number}")),
            1 => (format!("{prefix}/(?<name>[^/]+)/edit"), format!("{prefix}/a%20name/edit")),
            2 => (format!("{prefix}/(?:a|b)/.*"), format!("{prefix}/b/c/d")),
            3 => (format!(r"/[^/]+/orders-{number}/\d+$"), format!("/shop/orders-{number}/7")),
            4 => (format!("/(?<lang>[a-z]{{2}})/pages-{number}/"), format!("/de/pages-{number}/home")),
            _ => (format!(r"/.*/file-{number}\.pdf$"), format!("/a/b%20c/file-{number}.pdf")),
        };
        route.paths = Some(vec![format!("~{expression}")]);
        path
    }
}

/// What a route says and what a request to it says.
fn host(tenant: u64) -> (String, String) {
    let name = format!("tenant-{tenant}.example.com");
    match tenant % 50 {
        7 => (format!("tenant-{tenant}.*"), name),
        3 | 13 | 23 | 33 | 43 => (format!("*.{name}"), format!("www.{name}")),
        _ => (name.clone(), name),
    }
}

fn ask(route: &mut Route, header: &str, value: &str) {
    route.headers = Some([(header.to_owned(), vec![value.to_owned()])].into_iter().collect());
}

fn request(host: &str, path: String, headers: &[(&'static str, &str)]) -> Request {
    let mut fields = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
    fields.extend(headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
    }));
    Request { method: Method::GET, host: host.to_owned(), path, headers: fields }
}
