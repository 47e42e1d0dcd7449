//! The rows of the contract that concern routing, one test a row.

mod applied;
mod contest;
mod crowds;
mod explain;
mod gateway_api;
mod generated;
mod limits;
mod order;
mod page;
mod reference;
mod rows;
mod survey;
mod templates;
mod traditional;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;

use super::{Dialect, Flavor, Head, Match, Router, RuleError};
use crate::config::{Address, Protocol, Route};

/// A request in parts.
#[derive(Clone, Debug)]
struct Request {
    scheme: Protocol,
    method: Method,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    sni: Option<String>,
}

fn get(host: &str, path: &str) -> Request {
    Request {
        scheme: Protocol::Http,
        method: Method::GET,
        host: host.into(),
        port: 80,
        path: path.into(),
        query: None,
        headers: HeaderMap::new(),
        sni: None,
    }
}

impl Request {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn tls(mut self, sni: Option<&str>) -> Self {
        (self.scheme, self.port, self.sni) = (Protocol::Https, 443, sni.map(str::to_owned));
        self
    }

    fn head(&self) -> Head<'_> {
        Head {
            scheme: self.scheme,
            port: self.port,
            query: self.query.as_deref(),
            sni: self.sni.as_deref(),
            ..Head::new(&self.method, &self.host, &self.path, &self.headers)
        }
    }
}

fn route(name: &str, fill: impl FnOnce(&mut Route)) -> Route {
    let mut route = Route::new(name);
    fill(&mut route);
    route
}

fn list(values: &[&str]) -> Option<Vec<String>> {
    Some(values.iter().map(|value| (*value).to_owned()).collect())
}

/// Header fields written `name: value`; a name may come more than once.
fn headers(fields: &[&str]) -> Option<indexmap::IndexMap<String, Vec<String>>> {
    let mut map = indexmap::IndexMap::<String, Vec<String>>::new();
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        map.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    Some(map)
}

/// The fields and messages of all that is wrong.
fn refusals(dialect: impl Into<Dialect>, route: Route) -> Vec<String> {
    build_as(dialect, [route]).unwrap_err().into_iter().map(|(_, error)| error.to_string()).collect()
}

fn address(ip: &str) -> Option<Vec<Address>> {
    Some(vec![Address { ip: Some(ip.to_owned()), port: None }])
}

fn router(routes: impl IntoIterator<Item = Route>) -> Router<String> {
    build(routes).unwrap()
}

fn build(routes: impl IntoIterator<Item = Route>) -> Result<Router<String>, Vec<(Arc<Route>, RuleError)>> {
    build_as(Dialect::default(), routes)
}

/// A router of another flavour than the default one.
fn router_as(dialect: impl Into<Dialect>, routes: impl IntoIterator<Item = Route>) -> Router<String> {
    build_as(dialect, routes).unwrap()
}

fn build_as(
    dialect: impl Into<Dialect>,
    routes: impl IntoIterator<Item = Route>,
) -> Result<Router<String>, Vec<(Arc<Route>, RuleError)>> {
    let named = routes.into_iter().map(|route| {
        let name = route.name.clone().unwrap();
        (Arc::new(route), name)
    });
    Router::with_flavor(dialect, named)
}

/// A flavour that reads braces in paths as templates.
fn templates(flavor: Flavor) -> Dialect {
    Dialect { path_templates: true, ..flavor.into() }
}

fn found<'r>(router: &'r Router<String>, request: &Request) -> Option<Match<'r, String>> {
    router.find(&request.head())
}

fn name<'r>(router: &'r Router<String>, request: &Request) -> Option<&'r str> {
    found(router, request).map(|found| found.value.as_str())
}

/// A router over one route with these paths.
fn paths(paths: &[&str]) -> Router<String> {
    router([route("r", |route| route.paths = list(paths))])
}

/// Whether the only route takes the request.
fn takes(router: &Router<String>, request: &Request) -> bool {
    found(router, request).is_some()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}
