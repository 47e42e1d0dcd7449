//! What routes mean for each other: which are never reached, which only their ids tell apart.
//!
//! Rules are not compared each with each. They stand under their hosts and the starts of their paths, so that one is
//! compared with those only that stand under the same host or a wider one, and under the same start or a shorter one.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use foldhash::fast::RandomState;

use super::{
    super::{
        Comparison, Dialect, Flavor,
        flavors::compile::compiler,
        ledger::Ledger,
        rank::{Rank, TraditionalRank},
        rule::Rule,
    },
    shelves::{Shelves, Spot},
    wants::{Want, Wants},
};
use crate::config::Route;

/// The most rules that one is compared with: many may stand under one host and start.
const MOST: usize = 256;

/// What one route means for another. Routes are told by their places in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The route that is concerned.
    pub(crate) route: usize,
    /// The one that stands above it.
    pub(crate) above: usize,
    /// Why that one does.
    pub(crate) because: Comparison,
    /// What it comes to.
    pub(crate) effect: Effect,
}

/// What the one above does to the route below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No request reaches the route.
    Unreachable,
    /// No request reaches it by these paths, as the route writes them.
    PathsUnreachable(Vec<String>),
    /// Some requests would go to either, and only the ids decide.
    Ambiguous,
    /// Some requests would go to either, and Kong's manual puts the other one first.
    AgainstManual,
}

/// What the routes mean for each other, as far as it can be proved. Routes that do not compile have no part in it.
pub(crate) fn survey(dialect: Dialect, routes: &[&Route]) -> Vec<Relation> {
    survey_counting(dialect, routes).0
}

/// The same, and how often two rules were compared.
pub(in crate::router) fn survey_counting(dialect: Dialect, routes: &[&Route]) -> (Vec<Relation>, usize) {
    let survey = Survey::new(dialect, routes);
    let mut relations = survey.unreachable();
    let mut lost = vec![false; routes.len()];
    for relation in relations.iter().filter(|relation| relation.effect == Effect::Unreachable) {
        if let Some(lost) = lost.get_mut(relation.route) {
            *lost = true;
        }
    }
    survey.overlaps(&lost, &mut relations);
    relations.sort_by_key(|relation| relation.route);
    (relations, survey.compared.get())
}

/// A rule with its route.
struct Ranked {
    rank: Rank,
    /// Its rank in Kong's manual.
    manual: Rank,
    owner: usize,
    wants: Wants,
}

/// All rules, the best first.
struct Survey {
    flavor: Flavor,
    rules: Vec<Ranked>,
    /// How often two of them were compared.
    compared: Cell<usize>,
}

impl Survey {
    fn new(dialect: Dialect, routes: &[&Route]) -> Self {
        let compile = compiler(dialect.flavor);
        let (mut rules, mut ledger) = (Vec::new(), Ledger::default());
        for (owner, route) in routes.iter().copied().enumerate() {
            let compiled = compile(route, dialect).unwrap_or_default();
            ledger.add(&compiled);
            if ledger.is_over() {
                // No router takes so much.
                break;
            }
            let ranked = |(rank, rule): (Rank, Rule)| Ranked {
                manual: Rank::Traditional(TraditionalRank::new(route, rule.path.kind())),
                rank,
                owner,
                wants: Wants::of(rule),
            };
            rules.extend(compiled.into_iter().map(ranked));
        }
        rules.sort_by(|a, b| b.rank.cmp(&a.rank));
        Self { flavor: dialect.flavor, rules, compared: Cell::new(0) }
    }

    /// The rules, and parts of rules, that others above them leave nothing to.
    fn unreachable(&self) -> Vec<Relation> {
        let wants = self.wants();
        let shelves = Shelves::of(&wants);
        let mut owners: HashMap<usize, Covered, RandomState> = HashMap::default();
        for (place, rule) in self.rules.iter().enumerate() {
            let covered = owners.entry(rule.owner).or_default();
            for path in &rule.wants.paths {
                match self.covering(&shelves, place, path) {
                    Some(above) => covered.paths.push((place, above, path.shown())),
                    None => {
                        covered.open.insert(path.shown());
                    }
                }
            }
        }
        owners.iter().filter_map(|(owner, covered)| self.relations(*owner, covered)).collect()
    }

    fn relations(&self, owner: usize, covered: &Covered) -> Option<Relation> {
        // One of another route tells more than one of its own.
        let other = |(_, above, _): &&(usize, usize, _)| {
            self.rules.get(*above).is_some_and(|rule| rule.owner != owner)
        };
        let lost = || covered.lost();
        let (place, above, _) = lost().find(other).or_else(|| lost().next())?;
        let effect = if !covered.open.is_empty() {
            let paths = lost().filter(|(_, other, _)| self.owner(*other) == self.owner(*above));
            Effect::PathsUnreachable(paths.filter_map(|(.., shown)| shown.clone()).collect())
        } else {
            Effect::Unreachable
        };
        self.relation(*place, *above, effect)
    }

    fn owner(&self, place: usize) -> Option<usize> {
        self.rules.get(place).map(|rule| rule.owner)
    }

    fn relation(&self, place: usize, above: usize, effect: Effect) -> Option<Relation> {
        let (rule, above) = (self.rules.get(place)?, self.rules.get(above)?);
        let because = rule.rank.lost(&above.rank);
        Some(Relation { route: rule.owner, above: above.owner, because, effect })
    }

    /// A rule above that takes all that the rule at `place` takes by `path`; for several hosts, the first of them.
    fn covering(&self, shelves: &Shelves<'_>, place: usize, path: &Want) -> Option<usize> {
        let wants = &self.rules.get(place)?.wants;
        let mut found = None;
        for at in 0..wants.hosts.len().max(1) {
            let host = wants.hosts.get(at);
            let mut near = shelves.wider(host, path).take(MOST).inspect(|_| self.count());
            let covers = |above: &Spot| {
                let above = self.rules.get(above.rule).map(|rule| (above, &rule.wants));
                above.is_some_and(|(spot, above)| above.cover(*spot, wants, host, path))
            };
            found = found.or(Some(near.find(|above| above.rule < place && covers(above))?.rule));
        }
        found
    }

    /// Pairs of rules that take the same requests: at most one of each kind for a route.
    fn overlaps(&self, lost: &[bool], relations: &mut Vec<Relation>) {
        let wants = self.wants();
        let shelves = Shelves::of(&wants);
        let mut told: HashSet<(usize, bool), RandomState> = HashSet::default();
        for place in 0..self.rules.len() {
            for (own, other) in self.near(&shelves, place) {
                let (above, below) = if own.rule < other.rule { (own, other) } else { (other, own) };
                let Some((owner, effect)) = self.rivalry(above, below, lost) else { continue };
                if told.insert((owner, effect == Effect::Ambiguous)) {
                    relations.extend(self.relation(below.rule, above.rule, effect));
                }
            }
        }
    }

    /// Some of the rules that may share requests with the one at `place`, each with the spots of both where they may.
    fn near(&self, shelves: &Shelves<'_>, place: usize) -> Vec<(Spot, Spot)> {
        let Some(Ranked { wants, .. }) = self.rules.get(place) else { return Vec::new() };
        let hosts = 0..wants.hosts.len().max(1);
        let each = hosts.flat_map(|host| wants.paths.iter().enumerate().map(move |path| (host, path)));
        let pairs = each.flat_map(|(at, (path, want))| {
            let (own, host) = (Spot { rule: place, host: at, path }, wants.hosts.get(at));
            let others = shelves.wider(host, want).chain(shelves.narrower(host, want));
            others.map(move |other| (own, other))
        });
        let near = pairs.take(MOST).inspect(|_| self.count());
        near.filter(|(own, other)| own.rule != other.rule).collect()
    }

    /// What there is to say of the rule at `below`, and its route.
    fn rivalry(&self, above: Spot, below: Spot, lost: &[bool]) -> Option<(usize, Effect)> {
        let (rule, other) = (self.rules.get(below.rule)?, self.rules.get(above.rule)?);
        if is_lost(lost, rule.owner) {
            return None;
        }
        let effect = rule.rivalry(other, self.flavor, lost)?;
        rule.wants.meet(below, &other.wants, above).then_some((rule.owner, effect))
    }

    fn wants(&self) -> Vec<&Wants> {
        self.rules.iter().map(|rule| &rule.wants).collect()
    }

    fn count(&self) {
        self.compared.set(self.compared.get() + 1);
    }
}

fn is_lost(lost: &[bool], route: usize) -> bool {
    lost.get(route).copied().unwrap_or_default()
}

/// The paths of a route that others cover: the rule, the one above it, and the path as it is written.
#[derive(Default)]
struct Covered {
    paths: Vec<(usize, usize, Option<String>)>,
    /// The paths that none covers.
    open: HashSet<Option<String>, RandomState>,
}

impl Covered {
    /// The paths that are covered under every host: in the flavour `gateway_api` each host has a rule of its own.
    fn lost(&self) -> impl Iterator<Item = &(usize, usize, Option<String>)> {
        self.paths.iter().filter(|(.., path)| !self.open.contains(path))
    }
}

impl Ranked {
    /// What there is to say of this rule below `above`.
    fn rivalry(&self, above: &Self, flavor: Flavor, lost: &[bool]) -> Option<Effect> {
        if self.owner == above.owner || is_lost(lost, above.owner) {
            return None;
        }
        let effect = if self.rank.ties(&above.rank) {
            Effect::Ambiguous
        } else if flavor == Flavor::TraditionalCompatible
            && self.manual > above.manual
            && !self.manual.ties(&above.manual)
        {
            Effect::AgainstManual
        } else {
            return None;
        };
        Some(effect)
    }
}
