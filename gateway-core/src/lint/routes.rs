//! Routes among each other, and their fields.

use std::collections::HashSet;

use super::{Code, Finding, Findings, Party, expressions};
use crate::{
    config::{Config, Route},
    router::{Dialect, Effect, Flavor, Relation, Template, survey},
};

/// `regex_priority` is cut to so many values in Kong (compat P43b).
const KONGS_PRIORITIES: std::ops::Range<i64> = 0..8192;

pub(super) fn lint(config: &Config, dialect: Dialect, findings: &mut Findings) {
    let served = |route: &&Route| {
        let service = route.service.and_then(|reference| config.services.get(&reference.id));
        service.is_none_or(|service| service.enabled)
    };
    let routes: Vec<&Route> = config.routes.values().map(AsRef::as_ref).filter(served).collect();
    for relation in survey(dialect, &routes) {
        if let Some(finding) = related(&relation, &routes) {
            findings.push(finding);
        }
    }
    for route in routes {
        fields(route, dialect.flavor, findings);
        braces(route, dialect, findings);
        expressions::lint(route, findings);
    }
}

fn related(relation: &Relation, routes: &[&Route]) -> Option<Finding> {
    let (route, above) = (*routes.get(relation.route)?, *routes.get(relation.above)?);
    let (other, because) = (Party::of(above).label, &relation.because);
    let finding = |code, message: String, help: &str| {
        Finding::new(code, Party::of(route), message, help).with(Party::of(above))
    };
    Some(match &relation.effect {
        Effect::Unreachable => finding(
            Code::UnreachableRoute,
            format!("no request reaches it: {other} takes all of them and ranks higher ({because})"),
            way_up(because.by),
        ),
        Effect::PathsUnreachable(paths) => {
            let message = format!(
                "no request reaches it by {}: {other} takes all of them and ranks higher ({because})",
                some_of(paths)
            );
            finding(Code::UnreachablePath, message, way_up(because.by)).at(place_of(route, paths)?)
        }
        Effect::Ambiguous => finding(
            Code::AmbiguousRoutes,
            format!(
                "some requests fit {other} as well, and only the ids decide that it goes first ({because})"
            ),
            "give one of them a longer path, one more criterion, or values that the other one has not",
        ),
        Effect::AgainstManual => finding(
            Code::OrderDiffersFromManual,
            format!(
                "some requests fit {other} as well, which goes first ({because}); Kong does so too, but its manual says the opposite"
            ),
            "nothing, if that is the order you rely on; else make the two differ by what both orders compare alike",
        ),
    })
}

/// A route may have thousands of paths; the first few tell which are meant.
fn some_of(paths: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = paths.get(..SHOWN).unwrap_or(paths).join(" or ");
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} or {more} more"),
    }
}

/// Where the first of these paths stands.
fn place_of(route: &Route, paths: &[String]) -> Option<String> {
    let lost: HashSet<&str> = paths.iter().map(String::as_str).collect();
    let mut own = route.paths.iter().flatten();
    let at = own.position(|path| lost.contains(path.as_str())).unwrap_or_default();
    Some(format!("paths[{at}]"))
}

/// What lifts a route over the one that beats it by this comparison.
fn way_up(by: &str) -> &'static str {
    match by {
        "regex" => {
            "write the other one's path as a prefix, without ~; or this one as an expression with more fields"
        }
        "regex_priority" => "give it a higher regex_priority, or remove it",
        "plain hosts only" => "give it hosts without a wildcard too, or remove it",
        "id" => "the two ask for the same: remove one, or make them differ",
        _ => "remove it, or let it ask for something that the other one does not",
    }
}

/// Paths that are templates elsewhere, and text here.
fn braces(route: &Route, dialect: Dialect, findings: &mut Findings) {
    let paths = route.paths.iter().flatten().enumerate();
    for (at, path) in paths.filter(|(_, path)| !dialect.path_templates && Template::is_one(path)) {
        let message = format!("the braces of {path} are text: only a path with braces in it is taken");
        let help = "nothing, if that is what was meant; for a template set path_templates in the settings, or write an expression: ~/users/(?<id>[^/]+)$";
        let finding = Finding::new(Code::BracesAreText, Party::of(route), message, help);
        findings.push(finding.at(format!("paths[{at}]")));
    }
}

fn fields(route: &Route, flavor: Flavor, findings: &mut Findings) {
    let has_regex = route.paths.iter().flatten().any(|path| path.starts_with('~'));
    if flavor == Flavor::TraditionalCompatible
        && has_regex
        && !KONGS_PRIORITIES.contains(&route.regex_priority)
    {
        let message = format!(
            "Kong counts a regex_priority of {} otherwise: it is cut to 13 bits, and what is above runs into other comparisons. Here it is the number it is",
            route.regex_priority
        );
        let finding = Finding::new(Code::RegexPriorityWraps, Party::of(route), message, "use 0 to 8191");
        findings.push(finding.at("regex_priority"));
    }
    if route.path_handling != flavor.path_handling(route) {
        let message = "path_handling v1 has no effect in this router flavour: paths are joined as v0";
        let help = "remove it; where the paths are to be joined as bytes, use the flavour traditional or a plugin that writes the path";
        findings.push(
            Finding::new(Code::PathHandlingWithoutEffect, Party::of(route), message, help)
                .at("path_handling"),
        );
    }
}
