//! Whether a request has what a route asks for, field by field.
//!
//! It knows only the escapes that the generated requests have, `%20` and `%2F`.

use std::{cell::RefCell, collections::HashMap};

use regex::Regex;

use super::{super::Request, Part};
use crate::{config::Protocol, router::Flavor};

impl Part<'_> {
    /// How many bytes of the request's path it takes.
    pub(super) fn fits(&self, request: &Request) -> Option<usize> {
        let route = self.route;
        let any = |list: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
            list.as_ref().is_none_or(|list| list.iter().any(|value| fits(value)))
        };
        let host_fits = self.host.is_none_or(|host| host_fits(host, request));
        let method_fits = any(&route.methods, &|method| method == request.method.as_str());
        let sni = request.sni.as_deref();
        let sni_fits = request.scheme == Protocol::Http
            || any(&route.snis, &|own| sni.is_some_and(|sni| name_fits(own.trim_end_matches('.'), sni)));
        let headers_fit = route.headers.iter().flatten().all(|(name, values)| {
            let mut fields = request.headers.get_all(name).iter().map(|field| field.to_str().unwrap());
            fields.any(|field| values.iter().any(|value| self.value_fits(value, values.len(), field)))
        });
        let queries_fit = route.queries.iter().flatten().all(|(name, values)| {
            let pairs = request.query.as_deref().unwrap_or_default().split('&');
            let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let first = pairs.find(|(own, _)| own == name);
            first.is_some_and(|(_, given)| values.iter().any(|value| query_fits(value, given)))
        });
        if !(host_fits && method_fits && sni_fits && headers_fit && queries_fit) {
            return None;
        }
        self.path.map_or(Some(0), |path| self.path_fits(path, &request.path))
    }

    fn value_fits(&self, value: &str, values: usize, field: &str) -> bool {
        let exact = self.dialect.flavor == Flavor::GatewayApi;
        let literal = self.dialect.flavor == Flavor::Traditional && values > 1;
        match value.strip_prefix("~*").filter(|_| !literal) {
            Some(pattern) if exact => regex(pattern).is_match(field),
            Some(pattern) => regex(&format!("(?i){pattern}")).is_match(field),
            None if exact => value == field,
            None => value.to_lowercase() == field.to_lowercase(),
        }
    }

    /// How many bytes of the path on the wire the route's path takes.
    fn path_fits(&self, path: &str, wire: &str) -> Option<usize> {
        let decoded = wire.replace("%20", " ");
        let by_element = self.dialect.flavor == Flavor::GatewayApi;
        let taken = match path.strip_prefix('~') {
            Some(pattern) => regex(pattern).find(&decoded).filter(|found| found.start() == 0)?.as_str(),
            None if self.is_template() => {
                let pattern = path.replace("{*rest}", ".+").replace("{x}", "[^/]+").replace("{y}", "[^/]+");
                regex(&format!("^{pattern}$")).find(&decoded)?.as_str()
            }
            None if by_element && path != "/" => {
                let path = path.trim_end_matches('/');
                let rest = decoded.strip_prefix(path)?;
                (rest.is_empty() || rest.starts_with('/')).then_some(path)?
            }
            None => decoded.starts_with(path).then_some(path)?,
        };
        Some(taken.replace(' ', "%20").len())
    }
}

fn host_fits(host: &str, request: &Request) -> bool {
    match host.split_once(':') {
        Some((name, port)) => name_fits(name, &request.host) && port == request.port.to_string(),
        None => name_fits(host, &request.host),
    }
}

fn name_fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(start)) => name.starts_with(start),
        _ => name == pattern,
    }
}

fn query_fits(value: &str, given: &str) -> bool {
    match value.strip_prefix('~') {
        Some(pattern) => regex(pattern).is_match(given),
        None => value == given,
    }
}

/// Each pattern is compiled once: that is most of the time of a run.
pub(super) fn regex(pattern: &str) -> Regex {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    let compile = || Regex::new(pattern).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(pattern.to_owned()).or_insert_with(compile).clone())
}
