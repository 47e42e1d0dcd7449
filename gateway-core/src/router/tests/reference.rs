//! The same rules written as plainly as can be, for every flavour: a part for each host and path of each route, sorted
//! by the flavour's list; the first that fits takes the request.
//!
//! It shares no code with the router. It knows only the escapes that the generated requests have, `%20` and `%2F`.

use std::{cell::RefCell, cmp::Reverse, collections::HashMap};

use regex::Regex;
use uuid::Uuid;

use super::Request;
use crate::{
    config::{Protocol, Route},
    router::{Dialect, Flavor},
};

/// A route with one of its hosts and one of its paths.
pub(super) struct Part<'r> {
    at: usize,
    dialect: Dialect,
    route: &'r Route,
    host: Option<&'r str>,
    path: Option<&'r str>,
}

/// What parts are compared by: the greater numbers win, then the first in alphabetical order.
type Rank<'r> = (Vec<u128>, Reverse<Option<&'r str>>);

/// The place of the route that takes the request, and how many bytes of the path it matched.
pub(super) fn find(parts: &[Part<'_>], request: &Request) -> Option<(usize, usize)> {
    parts.iter().find_map(|part| Some((part.at, part.fits(request)?)))
}

/// All parts of all routes, those that stand higher first.
pub(super) fn sorted(dialect: Dialect, routes: &[Route]) -> Vec<Part<'_>> {
    let parts = routes.iter().enumerate().flat_map(|(at, route)| split(dialect, at, route));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_cached_key(|part| Reverse(part.rank()));
    parts
}

fn split(dialect: Dialect, at: usize, route: &Route) -> Vec<Part<'_>> {
    fn each(list: &Option<Vec<String>>) -> Vec<Option<&str>> {
        list.as_ref().map_or(vec![None], |list| list.iter().map(|value| Some(value.as_str())).collect())
    }
    let parts = each(&route.hosts).into_iter().flat_map(|host| {
        each(&route.paths).into_iter().map(move |path| Part { at, dialect, route, host, path })
    });
    parts.collect()
}

impl<'r> Part<'r> {
    fn rank(&self) -> Rank<'r> {
        match self.dialect.flavor {
            Flavor::TraditionalCompatible | Flavor::Expressions => (self.compatible(), Reverse(None)),
            Flavor::Traditional => (self.traditional(), Reverse(None)),
            Flavor::GatewayApi => (self.gateway_api(), Reverse(self.route.name.as_deref())),
        }
    }

    /// The list of P43, word by word.
    fn compatible(&self) -> Vec<u128> {
        let four = self.fields() >= 4;
        vec![
            four.into(),
            (!four && self.plain_hosts()).into(),
            (!four && self.is_regex()).into(),
            self.fields(),
            self.headers(),
            self.regex_priority(),
            self.length(),
            self.part_id().as_u128(),
        ]
    }

    /// The list of the manual, word by word.
    fn traditional(&self) -> Vec<u128> {
        let mut hosts = self.route.hosts.iter().flatten();
        let mut rank = vec![self.fields()];
        rank.extend(self.kinds().map(u128::from));
        rank.extend([
            hosts.any(|host| host.contains('*') && host.contains(':')).into(),
            self.plain_hosts().into(),
            self.is_regex().into(),
            self.headers(),
            self.regex_priority(),
            self.length(),
            self.age(),
            self.route.id.as_u128(),
        ]);
        rank
    }

    /// The list of the specification, word by word.
    fn gateway_api(&self) -> Vec<u128> {
        let host = match self.host {
            None => 0,
            Some(host) if host.starts_with('*') => host.split(':').next().unwrap().len() as u128,
            Some(_) => u128::MAX,
        };
        let path = if self.is_exact() { 2 } else { self.is_regex().into() };
        let length = match self.path {
            _ if self.is_exact() => 0,
            None => 1,
            Some(path) if !self.is_regex() => path.trim_end_matches('/').len().max(1) as u128,
            Some(_) => self.length(),
        };
        let regex_priority = if self.is_exact() { 0 } else { self.regex_priority() };
        let method = self.route.methods.is_some().into();
        let queries = self.route.queries.as_ref().map_or(0, |queries| queries.len() as u128);
        vec![host, path, regex_priority, length, method, self.headers(), queries, self.age()]
    }

    /// The older, the more.
    fn age(&self) -> u128 {
        (u64::MAX - self.route.created_at).into()
    }

    /// Which fields are set, from the one that counts most in the manual.
    fn kinds(&self) -> [bool; 7] {
        let route = self.route;
        [
            route.hosts.is_some(),
            route.headers.is_some(),
            route.paths.is_some(),
            route.methods.is_some(),
            route.snis.is_some(),
            route.sources.is_some(),
            route.destinations.is_some(),
        ]
    }

    fn fields(&self) -> u128 {
        self.kinds().into_iter().map(u128::from).sum()
    }

    fn plain_hosts(&self) -> bool {
        self.route.hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(|host| host.contains('*')))
    }

    fn headers(&self) -> u128 {
        self.route.headers.as_ref().map_or(0, |headers| headers.len() as u128)
    }

    fn is_template(&self) -> bool {
        let template = |path: &str| path.starts_with('/') && path.contains('{');
        self.dialect.path_templates && self.path.is_some_and(template)
    }

    fn is_regex(&self) -> bool {
        self.is_template() || self.path.is_some_and(|path| path.starts_with('~'))
    }

    /// `~/x$`: letters and slashes between `~` and `$`.
    fn is_exact(&self) -> bool {
        let text = self.path.and_then(|path| path.strip_prefix('~')?.strip_suffix('$'));
        text.is_some_and(|text| text.chars().all(|letter| letter.is_alphabetic() || "/ ".contains(letter)))
    }

    /// Moved so that the least is 0.
    fn regex_priority(&self) -> u128 {
        let priority = if self.is_regex() { self.route.regex_priority } else { 0 };
        priority.abs_diff(i64::MIN).into()
    }

    /// Of a prefix, or of what is no parameter of a template.
    fn length(&self) -> u128 {
        let path = self.path.unwrap_or_default();
        match (self.is_template(), self.is_regex()) {
            (true, _) => regex("[{][^}]*[}]").replace_all(path, "").len() as u128,
            (_, true) => 0,
            _ => path.len() as u128,
        }
    }

    /// The id of a group of paths, where there are several.
    fn part_id(&self) -> Uuid {
        if self.route.paths.as_ref().is_none_or(|paths| paths.len() < 2) {
            return self.route.id;
        }
        let group = match (self.is_template(), self.is_regex()) {
            (true, _) => format!("template{}", self.length()),
            (_, true) => "true".to_owned(),
            _ => self.length().to_string(),
        };
        let space = Uuid::parse_str("7f145bf9-0dce-4f91-98eb-debbce4b9f6b").unwrap();
        Uuid::new_v5(&space, format!("{}#{group}", self.route.id).as_bytes())
    }

    /// How many bytes of the request's path it takes.
    fn fits(&self, request: &Request) -> Option<usize> {
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
fn regex(pattern: &str) -> Regex {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    let compile = || Regex::new(pattern).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(pattern.to_owned()).or_insert_with(compile).clone())
}

#[test]
fn the_reference_itself_sorts_by_the_list() {
    let of = |paths: &[&str]| super::route("r", |route| route.paths = super::list(paths));
    let routes = [of(&["/a"]), of(&["/ab"]), of(&["~/a"])];
    let dialect = Dialect::default();
    let mut parts: Vec<_> =
        routes.iter().enumerate().flat_map(|(at, route)| split(dialect, at, route)).collect();
    parts.sort_by_key(|part| Reverse((part.is_regex(), part.length())));
    assert_eq!(parts.iter().map(|part| part.at).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(find(&sorted(dialect, &routes), &super::get("h", "/abc")), Some((2, 2)));
}
