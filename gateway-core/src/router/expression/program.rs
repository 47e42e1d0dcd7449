//! An expression as a flat list of jumps.

use super::{
    super::{
        request::{Request, Taken},
        search_regex::SearchRegex,
    },
    node::Node,
    probe::Probe,
};

/// The predicates from left to right, each with where to go on if it holds and if it does not. All jumps lead
/// forwards, so that a run takes at most one step a predicate and no memory.
#[derive(Clone, Debug)]
pub(in crate::router) struct Program {
    steps: Box<[Step]>,
    /// Where a run begins: nowhere, if there is nothing to ask.
    start: u16,
    /// Whether it takes the prefix under which it was found.
    takes_prefix: bool,
}

#[derive(Clone, Debug)]
struct Step {
    probe: Probe,
    yes: u16,
    no: u16,
}

/// Jumps out of the list: no expression has so many predicates.
const ACCEPT: u16 = u16::MAX;
const REFUSE: u16 = u16::MAX - 1;

impl Program {
    /// The program of a whole expression.
    pub(super) fn new(node: &Node) -> Self {
        Self::of_all([node].into_iter(), false)
    }

    /// The program of the parts of an `All` that an index leaves to ask.
    pub(super) fn of_all<'n>(nodes: impl DoubleEndedIterator<Item = &'n Node>, takes_prefix: bool) -> Self {
        let mut steps = Vec::new();
        let start = nodes.rev().fold(ACCEPT, |next, node| emit(node, next, REFUSE, true, &mut steps));
        steps.reverse();
        let last = steps.len().saturating_sub(1) as u16;
        let turned = |target: u16| if target >= REFUSE { target } else { last - target };
        for step in &mut steps {
            (step.yes, step.no) = (turned(step.yes), turned(step.no));
        }
        Self { steps: steps.into(), start: turned(start), takes_prefix }
    }

    /// Its regular expressions.
    pub(in crate::router) fn searches(&self) -> impl Iterator<Item = &SearchRegex> {
        self.steps.iter().filter_map(|step| step.probe.search())
    }

    /// What the expression takes of a request, if it holds, of whose path the first `prefix` bytes are the prefix
    /// under which it was found.
    pub(in crate::router) fn take(&self, prefix: usize, request: &Request<'_>) -> Option<Taken<'_>> {
        let matched = if self.takes_prefix { prefix } else { 0 };
        let mut taken = Taken { matched, pattern: None };
        self.run(request, &mut taken, |_, _| {}).then_some(taken)
    }

    /// Whether the expression holds. `each` sees the place of each predicate that was asked, and whether it held.
    pub(super) fn run<'p>(
        &'p self,
        request: &Request<'_>,
        taken: &mut Taken<'p>,
        mut each: impl FnMut(usize, bool),
    ) -> bool {
        let mut at = self.start;
        while let Some(step) = self.steps.get(usize::from(at)) {
            let held = step.probe.holds(request, taken);
            each(usize::from(at), held);
            at = if held { step.yes } else { step.no };
        }
        at == ACCEPT
    }
}

/// Adds the steps of `node`, the last first, as each needs to know where those behind it stand. Returns where it
/// begins. What a negation hides takes nothing of the path.
fn emit(node: &Node, yes: u16, no: u16, takes: bool, steps: &mut Vec<Step>) -> u16 {
    match node {
        Node::Predicate(predicate) => {
            steps.push(Step { probe: Probe::new(predicate, takes), yes, no });
            (steps.len() - 1) as u16
        }
        Node::Not(node) => emit(node, no, yes, false, steps),
        Node::All(nodes) => nodes.iter().rev().fold(yes, |next, node| emit(node, next, no, takes, steps)),
        Node::Any(nodes) => nodes.iter().rev().fold(no, |next, node| emit(node, yes, next, takes, steps)),
    }
}
