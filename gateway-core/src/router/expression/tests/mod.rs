//! The language, rule by rule; its errors; and expressions against a plain model.

mod errors;
mod generated;
mod language;
mod model;
mod routes;
mod values;

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{super::Head, Expression};
use crate::config::Protocol;

/// A request in parts.
#[derive(Clone, Debug)]
struct Given {
    scheme: Protocol,
    method: Method,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    sni: Option<String>,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

fn get(path: &str) -> Given {
    Given {
        scheme: Protocol::Http,
        method: Method::GET,
        host: "a.t".into(),
        port: 80,
        path: path.into(),
        query: None,
        headers: HeaderMap::new(),
        sni: None,
        source: None,
        destination: None,
    }
}

impl Given {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn header(mut self, name: &str, value: &[u8]) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    fn query(mut self, query: &str) -> Self {
        self.query = Some(query.into());
        self
    }

    fn head(&self) -> Head<'_> {
        Head {
            scheme: self.scheme,
            port: self.port,
            query: self.query.as_deref(),
            sni: self.sni.as_deref(),
            source: self.source,
            destination: self.destination,
            ..Head::new(&self.method, &self.host, &self.path, &self.headers)
        }
    }
}

fn parse(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn takes(text: &str, given: &Given) {
    assert!(parse(text).matches(&given.head()), "{text} does not take {given:?}");
}

#[track_caller]
fn refuses(text: &str, given: &Given) {
    assert!(!parse(text).matches(&given.head()), "{text} takes {given:?}");
}
