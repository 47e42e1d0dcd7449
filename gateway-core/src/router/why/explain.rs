//! The plain way to a route: compile each, try each, sort what matches.

use std::cmp::Reverse;

use super::{
    super::{
        Capture, Captures, Dialect, Explanation, Expression, Head, Label, Missed, Refused, RunnerUp, Taken,
        Unmet, flavors::compile::compiler, rank::Rank, rule::Rule,
    },
    criterion::PathTaken,
};
use crate::config::Route;

/// Why one of `routes` takes `head`.
pub(in crate::router) fn explain<'r>(
    dialect: Dialect,
    routes: impl Iterator<Item = &'r Route>,
    head: &Head<'_>,
) -> Explanation {
    let (mut matching, mut missing, mut count) = (Vec::new(), Nearest::default(), 0);
    for route in routes {
        count += 1;
        // The router has compiled it before, so there are no errors.
        let rules = compiler(dialect.flavor)(route, dialect).unwrap_or_default();
        match Trial::of(route, rules, head) {
            Some(Trial::Fits(fit)) => matching.push(fit),
            Some(Trial::Misses(near, missed)) => missing.add(near, missed),
            None => {}
        }
    }
    // Stable: of routes of one id the first one counts.
    matching.sort_by(|a, b| b.rank.cmp(&a.rank));
    let (first, rest) = matching.split_first().unzip();
    let runners_up = rest.unwrap_or_default().iter().take(Explanation::MOST_RUNNERS_UP);
    let lost = |fit: &Fit<'_>| Some(RunnerUp { route: fit.label(), lost: fit.rank.lost(&first?.rank) });
    Explanation {
        flavor: dialect.flavor,
        taken: first.and_then(|fit| fit.taken(head)),
        runners_up: runners_up.filter_map(lost).collect(),
        missed: missing.into_missed(),
        routes: count,
        matching: matching.len(),
    }
}

/// What came of one route.
enum Trial<'r> {
    Fits(Fit<'r>),
    Misses(Near, Missed),
}

/// A route that matches, by the best of its rules that do.
struct Fit<'r> {
    route: &'r Route,
    rank: Rank,
    rule: Rule,
}

/// How near a route comes: the criteria that fit, those that do not, the bytes that agree.
type Near = (usize, Reverse<usize>, usize);

impl<'r> Trial<'r> {
    /// Nothing for a route that no HTTP request takes.
    fn of(route: &'r Route, rules: Vec<(Rank, Rule)>, head: &Head<'_>) -> Option<Self> {
        let fits = |rule: &Rule| rule.criteria().all(|criterion| criterion.fits(head));
        let (fitting, others): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(_, rule)| fits(rule));
        if let Some((rank, rule)) = fitting.into_iter().max_by(|(a, _), (b, _)| a.cmp(b)) {
            return Some(Self::Fits(Fit { route, rank, rule }));
        }
        let (near, rule) =
            others.iter().map(|(_, rule)| (near(rule, head), rule)).max_by_key(|(near, _)| *near)?;
        let failed = rule.criteria().find(|criterion| !criterion.fits(head))?;
        let failed = refused(route, head).unwrap_or_else(|| failed.unmet(head));
        let (fits, Reverse(fail), _) = near;
        Some(Self::Misses(near, Missed { route: label(route), failed, fits, criteria: fits + fail }))
    }
}

fn near(rule: &Rule, head: &Head<'_>) -> Near {
    let (fits, fails): (Vec<_>, Vec<_>) = rule.criteria().partition(|criterion| criterion.fits(head));
    let bytes = fails.iter().map(|criterion| criterion.nearness(head)).sum();
    (fits.len(), Reverse(fails.len()), bytes)
}

/// What of a route's expression does not hold.
fn refused(route: &Route, head: &Head<'_>) -> Option<Unmet> {
    let expression = Expression::of(route)?.ok()?;
    let Refused { predicate, held } = expression.refused_by(head)?;
    let says = if held { "holds, and stands in !(..)" } else { "does not hold" };
    Some(Unmet {
        criterion: "expression".into(),
        asks: predicate.to_string(),
        got: held.to_string(),
        says: format!("{predicate} {says}"),
    })
}

fn label(route: &Route) -> Label {
    Label::new(route.id, route.name.as_deref())
}

impl Fit<'_> {
    fn label(&self) -> Label {
        label(self.route)
    }

    fn taken(&self, head: &Head<'_>) -> Option<Taken> {
        let PathTaken { matched, pattern, text } = self.rule.path.taken(head)?;
        let captures = pattern.and_then(|pattern| Captures::new(pattern, head.path));
        let captures = captures.map(|captures| groups(&captures)).unwrap_or_default();
        Some(Taken { route: self.label(), path: text, matched, captures })
    }
}

fn groups(captures: &Captures<'_, '_>) -> Vec<Capture> {
    let group = |(number, (name, value)): (usize, (Option<&str>, Option<&str>))| Capture {
        number,
        name: name.map(str::to_owned),
        value: value.map(str::to_owned),
    };
    (1..).zip(captures.iter()).map(group).collect()
}

/// The nearest few of those that do not match; the first ones where many are as near.
#[derive(Default)]
struct Nearest(Vec<(Near, Missed)>);

impl Nearest {
    fn add(&mut self, near: Near, missed: Missed) {
        let at = self.0.partition_point(|(other, _)| *other >= near);
        if at < Explanation::MOST_MISSED {
            self.0.insert(at, (near, missed));
            self.0.truncate(Explanation::MOST_MISSED);
        }
    }

    fn into_missed(self) -> Vec<Missed> {
        self.0.into_iter().map(|(_, missed)| missed).collect()
    }
}
