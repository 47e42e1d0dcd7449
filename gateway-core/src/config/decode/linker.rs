//! What linking knows of all entities, and how it tells of two that clash.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::{MOST_PROBLEMS, Row};
use crate::config::{
    Span,
    problem::{Matter, Other, Path, Problem},
    schema::EntityKind,
};

/// What is known of all entities.
pub(super) struct Linker<'p> {
    pub(super) ids: HashMap<(EntityKind, Uuid), usize, RandomState>,
    pub(super) names: HashMap<(EntityKind, String), Uuid, RandomState>,
    /// How many entities have the same content, by the id of the first.
    pub(super) equals: HashMap<(EntityKind, Uuid), usize, RandomState>,
    /// How often a nearest name was looked for: each time costs a look at all of them.
    pub(super) suggested: usize,
    pub(super) problems: &'p mut Vec<Problem>,
}

impl<'p> Linker<'p> {
    pub(super) fn new(problems: &'p mut Vec<Problem>) -> Self {
        Self {
            ids: HashMap::default(),
            names: HashMap::default(),
            equals: HashMap::default(),
            suggested: 0,
            problems,
        }
    }

    /// Takes the id of a row; refuses one that the file gives twice.
    pub(super) fn claim(&mut self, rows: &[Row<'_>], at: usize, given: bool) {
        let Some(row) = rows.get(at) else { return };
        let before = self.ids.insert((row.kind, row.id), at);
        if let Some(before) = before.and_then(|before| rows.get(before)).filter(|_| given) {
            self.twice(row, before, "id", "primary key", &row.id.to_string());
        }
    }

    /// Notes a problem, unless there are more than enough.
    pub(super) fn report(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Two entities clash; the one that was there first is named.
    pub(super) fn twice(&mut self, row: &Row<'_>, before: &Row<'_>, field: &str, called: &str, value: &str) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let collection = row.kind.collection();
        let message = format!(
            "uniqueness violation: '{collection}' entity with {called} set to '{value}' already declared"
        );
        let span = row.node.get(field).map_or(row.node.span, |node| node.span);
        let mut problem = about(row, row.path.clone(), span, message, Matter::Unique);
        let span = before.node.get(field).map_or(before.node.span, |node| node.span);
        problem.other = Some(Other { path: before.path.clone(), span });
        self.report(problem);
    }
}

/// A problem of one entity.
pub(super) fn about(
    row: &Row<'_>,
    path: Path,
    span: Option<Span>,
    message: String,
    matter: Matter,
) -> Problem {
    let mut problem = Problem::new(path, span, message).about(matter);
    problem.subject = Some(Arc::new(row.subject()));
    problem
}
