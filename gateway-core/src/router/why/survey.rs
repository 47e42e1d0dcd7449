//! What routes mean for each other: which are never reached, which only their ids tell apart.
//!
//! Rules are not compared each with each. They stand under their hosts and the starts of their paths, so that one is
//! compared with those only that stand under the same host or a wider one, and under the same start or a shorter one.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{
    super::{
        Comparison, Dialect, Flavor,
        flavors::compile::compiler,
        flavors::traditional::TraditionalRank,
        host::{Host, Name},
        ledger::Ledger,
        rank::Rank,
        rule::Rule,
    },
    wants::{Want, Wants},
};
use crate::config::Route;

/// The most rules that one is compared with: many may stand under one host and start.
const MOST: usize = 256;

/// The most hosts below a wildcard that are looked at.
const MOST_HOSTS: usize = 32;

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
    let survey = Survey::new(dialect, routes);
    let mut relations = survey.unreachable();
    let lost: Vec<bool> = (0..routes.len()).map(|route| is_whole(&relations, route)).collect();
    survey.overlaps(&lost, &mut relations);
    relations.sort_by_key(|relation| relation.route);
    relations
}

fn is_whole(relations: &[Relation], route: usize) -> bool {
    relations.iter().any(|relation| relation.route == route && relation.effect == Effect::Unreachable)
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
}

/// Where rules stand: under a host, and there under the start of a path.
#[derive(Default)]
struct Shelves<'s> {
    hosts: HashMap<Option<Name>, Shelf<'s>, RandomState>,
}

#[derive(Default)]
struct Shelf<'s> {
    /// Rules in their order, with the start of a path.
    starts: HashMap<&'s str, Vec<usize>, RandomState>,
    /// How long these starts are.
    lengths: BTreeSet<usize>,
    /// Some hosts that this one takes too.
    below: Vec<Name>,
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
        Self { flavor: dialect.flavor, rules }
    }

    /// The rules, and parts of rules, that others above them leave nothing to.
    fn unreachable(&self) -> Vec<Relation> {
        let shelves = Shelves::of(&self.rules);
        let mut owners: HashMap<usize, Covered, RandomState> = HashMap::default();
        for (place, rule) in self.rules.iter().enumerate() {
            let covered = owners.entry(rule.owner).or_default();
            for path in &rule.wants.paths {
                match self.covering(&shelves, place, path) {
                    Some(above) => covered.paths.push((place, above, path.shown())),
                    None => covered.open.push(path.shown()),
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
        let covers = |host: Option<&Host>| {
            shelves.wider(host, path).take(MOST).find(|above| {
                *above < place
                    && self.rules.get(*above).is_some_and(|rule| rule.wants.cover(wants, host, path))
            })
        };
        if wants.hosts.is_empty() {
            return covers(None);
        }
        let mut found = None;
        for host in &wants.hosts {
            found = found.or(Some(covers(Some(host))?));
        }
        found
    }

    /// Pairs of rules that take the same requests: at most one of each kind for a route.
    fn overlaps(&self, lost: &[bool], relations: &mut Vec<Relation>) {
        let shelves = Shelves::of(&self.rules);
        let mut told: HashSet<(usize, bool), RandomState> = HashSet::default();
        for place in 0..self.rules.len() {
            for other in self.near(&shelves, place) {
                let (above, below) = (place.min(other), place.max(other));
                let Some((rule, effect)) = self.rivalry(above, below, lost) else { continue };
                if told.insert((rule.owner, effect == Effect::Ambiguous)) {
                    relations.extend(self.relation(below, above, effect));
                }
            }
        }
    }

    /// Some of the rules that may share requests with the one at `place`.
    fn near(&self, shelves: &Shelves<'_>, place: usize) -> Vec<usize> {
        let Some(Ranked { wants, .. }) = self.rules.get(place) else { return Vec::new() };
        let any = wants.hosts.is_empty().then_some(None);
        let hosts: Vec<_> = wants.hosts.iter().map(Some).chain(any).collect();
        let each = hosts.iter().flat_map(|host| wants.paths.iter().map(move |path| (*host, path)));
        let places =
            each.flat_map(|(host, path)| shelves.wider(host, path).chain(shelves.narrower(host, path)));
        let mut seen: Vec<usize> = places.take(MOST).filter(|other| *other != place).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// What there is to say of the rule at `below`, and the rule.
    fn rivalry(&self, above: usize, below: usize, lost: &[bool]) -> Option<(&Ranked, Effect)> {
        let (rule, above) = (self.rules.get(below)?, self.rules.get(above)?);
        if is_lost(lost, rule.owner) {
            return None;
        }
        Some((rule, rule.rivalry(above, self.flavor, lost)?))
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
    open: Vec<Option<String>>,
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
        self.wants.meets(&above.wants).then_some(effect)
    }
}

impl<'s> Shelves<'s> {
    fn of(rules: &'s [Ranked]) -> Self {
        let mut shelves = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let any = rule.wants.hosts.is_empty().then_some(None);
            for host in rule.wants.hosts.iter().map(|host| Some(host.name.clone())).chain(any) {
                let shelf = shelves.hosts.entry(host).or_default();
                for path in &rule.wants.paths {
                    shelf.lengths.insert(path.start().len());
                    let list: &mut Vec<usize> = shelf.starts.entry(path.start()).or_default();
                    if list.last() != Some(&place) {
                        list.push(place);
                    }
                }
            }
        }
        shelves.link();
        // What asks for little else covers most, and is looked at first.
        for shelf in shelves.hosts.values_mut() {
            for list in shelf.starts.values_mut() {
                list.sort_by_key(|place| (rules.get(*place).map_or(0, |rule| rule.wants.weight()), *place));
            }
        }
        shelves
    }

    /// Lets each host know some of those below it.
    fn link(&mut self) {
        let names: Vec<Name> = self.hosts.keys().flatten().cloned().collect();
        for name in names {
            for wider in wider_names(Some(&name)).into_iter().filter(|wider| wider.as_ref() != Some(&name)) {
                if let Some(shelf) = self.hosts.get_mut(&wider)
                    && shelf.below.len() < MOST_HOSTS
                {
                    shelf.below.push(name.clone());
                }
            }
        }
    }

    /// The rules under this host or a wider one, and under this start or a shorter one.
    fn wider<'a>(&'a self, host: Option<&Host>, path: &'a Want) -> impl Iterator<Item = usize> + 'a {
        let names = wider_names(host.map(|host| &host.name)).into_iter();
        let shelves = names.filter_map(|name| self.hosts.get(&name));
        shelves.flat_map(|shelf| shelf.under(path.start()))
    }

    /// The rules under some narrower hosts, and under this start or a shorter one.
    fn narrower<'a>(&'a self, host: Option<&Host>, path: &'a Want) -> impl Iterator<Item = usize> + 'a {
        let shelf = self.hosts.get(&host.map(|host| host.name.clone()));
        let below = shelf.into_iter().flat_map(|shelf| &shelf.below);
        below
            .filter_map(|name| self.hosts.get(&Some(name.clone())))
            .flat_map(|shelf| shelf.under(path.start()))
    }
}

impl Shelf<'_> {
    fn under<'a>(&'a self, start: &'a str) -> impl Iterator<Item = usize> + 'a {
        let shorter = self.lengths.range(..=start.len()).filter_map(|end| start.get(..*end));
        shorter.filter_map(|shorter| self.starts.get(shorter)).flatten().copied()
    }
}

/// The names of all hosts that take all that `name` takes, itself among them.
fn wider_names(name: Option<&Name>) -> Vec<Option<Name>> {
    let mut names = vec![None];
    let ends = |text: &str| -> Vec<_> {
        (0..=text.len()).filter_map(|at| Some(Some(Name::EndsWith(text.get(at..)?.to_owned())))).collect()
    };
    let starts = |text: &str| -> Vec<_> {
        (0..=text.len()).filter_map(|at| Some(Some(Name::StartsWith(text.get(..at)?.to_owned())))).collect()
    };
    match name {
        None => names.extend([Some(Name::EndsWith(String::new())), Some(Name::StartsWith(String::new()))]),
        Some(Name::Exact(own)) => {
            names.push(Some(Name::Exact(own.clone())));
            names.extend(ends(own).into_iter().chain(starts(own)));
        }
        Some(Name::EndsWith(end)) => names.extend(ends(end)),
        Some(Name::StartsWith(start)) => names.extend(starts(start)),
    }
    names
}
