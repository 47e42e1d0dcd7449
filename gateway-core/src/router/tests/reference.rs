//! The same rules written as plainly as can be: sort all by the list of compat P43, take the first that fits.
//!
//! It shares no code with the router. It knows only the escapes that the generated requests have, `%20` and `%2F`.

use std::{
    cell::RefCell,
    cmp::{Ordering, Reverse},
    collections::HashMap,
};

use regex::Regex;
use uuid::Uuid;

use super::Request;
use crate::config::{Protocol, Route};

/// A route with the paths of one group.
struct Part<'r> {
    at: usize,
    route: &'r Route,
    paths: Vec<&'r str>,
    id: Uuid,
}

/// The place of the route that takes the request, and how many bytes of the path it matched.
pub(super) fn find(routes: &[Route], request: &Request) -> Option<(usize, usize)> {
    let mut parts: Vec<Part<'_>> =
        routes.iter().enumerate().flat_map(|(at, route)| split(at, route)).collect();
    parts.sort_by(|a, b| order(b, a));
    parts.iter().find_map(|part| Some((part.at, fits(part, request)?)))
}

fn split(at: usize, route: &Route) -> Vec<Part<'_>> {
    let all: Vec<&str> = route.paths.iter().flatten().map(String::as_str).collect();
    if all.len() < 2 {
        return vec![Part { at, route, paths: all, id: route.id }];
    }
    let mut groups: Vec<String> = all.iter().map(|path| group(path)).collect();
    groups.sort();
    groups.dedup();
    let part = |name: String| {
        let paths = all.iter().copied().filter(|path| group(path) == name).collect();
        let space = Uuid::parse_str("7f145bf9-0dce-4f91-98eb-debbce4b9f6b").unwrap();
        Part { at, route, paths, id: Uuid::new_v5(&space, format!("{}#{name}", route.id).as_bytes()) }
    };
    groups.into_iter().map(part).collect()
}

fn group(path: &str) -> String {
    if path.starts_with('~') { "true".into() } else { path.len().to_string() }
}

/// Which part stands higher: the list of P43, word by word.
fn order(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    let four = |part: &Part<'_>| fields(part.route) >= 4;
    if four(a) != four(b) {
        return four(a).cmp(&four(b));
    }
    let below_four = if four(a) {
        Ordering::Equal
    } else {
        plain_hosts(a.route).cmp(&plain_hosts(b.route)).then(is_regex(a).cmp(&is_regex(b)))
    };
    below_four
        .then(fields(a.route).cmp(&fields(b.route)))
        .then(header_names(a.route).cmp(&header_names(b.route)))
        .then(regex_priority(a).cmp(&regex_priority(b)))
        .then(prefix_length(a).cmp(&prefix_length(b)))
        .then(a.id.cmp(&b.id))
}

fn fields(route: &Route) -> usize {
    [
        route.methods.is_some(),
        route.hosts.is_some(),
        route.headers.is_some(),
        route.snis.is_some(),
        route.paths.is_some(),
        route.sources.is_some(),
        route.destinations.is_some(),
    ]
    .into_iter()
    .filter(|set| *set)
    .count()
}

fn plain_hosts(route: &Route) -> bool {
    route.hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(|host| host.contains('*')))
}

fn is_regex(part: &Part<'_>) -> bool {
    part.paths.iter().any(|path| path.starts_with('~'))
}

fn header_names(route: &Route) -> usize {
    route.headers.as_ref().map_or(0, indexmap::IndexMap::len)
}

fn regex_priority(part: &Part<'_>) -> i64 {
    if is_regex(part) { part.route.regex_priority } else { 0 }
}

fn prefix_length(part: &Part<'_>) -> usize {
    if is_regex(part) { 0 } else { part.paths.first().map_or(0, |path| path.len()) }
}

fn fits(part: &Part<'_>, request: &Request) -> Option<usize> {
    let Part { route, paths, .. } = part;
    let any = |list: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
        list.as_ref().is_none_or(|list| list.iter().any(|value| fits(value)))
    };
    let host_fits = any(&route.hosts, &|host| host_fits(host, request));
    let method_fits = any(&route.methods, &|method| method == request.method.as_str());
    let sni = request.sni.as_deref();
    let sni_fits = request.scheme == Protocol::Http
        || any(&route.snis, &|own| sni.is_some_and(|sni| name_fits(own.trim_end_matches('.'), sni)));
    let headers_fit = route.headers.iter().flatten().all(|(name, values)| {
        let mut fields = request.headers.get_all(name).iter().map(|field| field.to_str().unwrap());
        fields.any(|field| values.iter().any(|value| value_fits(value, field)))
    });
    if !(host_fits && method_fits && sni_fits && headers_fit) {
        return None;
    }
    if paths.is_empty() { Some(0) } else { paths.iter().find_map(|path| path_fits(path, &request.path)) }
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

fn value_fits(value: &str, field: &str) -> bool {
    match value.strip_prefix("~*") {
        Some(pattern) => regex(&format!("(?i){pattern}")).is_match(field),
        None => value.to_lowercase() == field.to_lowercase(),
    }
}

/// How many bytes of the path on the wire the route's path takes.
fn path_fits(path: &str, wire: &str) -> Option<usize> {
    let decoded = wire.replace("%20", " ");
    let taken = match path.strip_prefix('~') {
        Some(pattern) => regex(pattern).find(&decoded).filter(|found| found.start() == 0)?.as_str(),
        None => decoded.starts_with(path).then_some(path)?,
    };
    Some(taken.replace(' ', "%20").len())
}

/// Each pattern is compiled once: that is most of the time of a run.
fn regex(pattern: &str) -> Regex {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    let compile = || Regex::new(pattern).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(pattern.to_owned()).or_insert_with(compile).clone())
}

#[test]
fn the_reference_itself_sorts_by_the_list() {
    let of = |paths: &[&str]| super::route("r", |route| route.paths = super::list(paths));
    let routes = [of(&["/a"]), of(&["/ab"]), of(&["~/a"])];
    let mut parts: Vec<_> = routes.iter().enumerate().flat_map(|(at, route)| split(at, route)).collect();
    parts.sort_by_key(|part| Reverse((is_regex(part), prefix_length(part))));
    assert_eq!(parts.iter().map(|part| part.at).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(find(&routes, &super::get("h", "/abc")), Some((2, 2)));
}
