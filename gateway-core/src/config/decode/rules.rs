//! What the fields of a map must fulfil together.

use super::record::{Around, Decoder, Draft};
use crate::config::{
    document::Node,
    problem::{Matter, Problem},
    schema::{Record, Rule, Violation},
};

impl Decoder<'_> {
    /// Holds the fields against the rules of their table. A rule that looks at a field which is
    /// wrong is not asked.
    pub(super) fn rules(&mut self, record: &Record, node: &Node, draft: &Draft<'_>, around: Around<'_>) {
        for rule in record.rules.iter().filter(|rule| !draft.spoils(rule)) {
            for violation in rule.violations(&draft.fields, around.prefix) {
                if !violation.field.as_deref().is_some_and(|field| draft.failed.contains(&field)) {
                    let problem = self.violation(violation, node, draft, around);
                    self.report(problem);
                }
            }
        }
    }

    fn violation(&self, violation: Violation, node: &Node, draft: &Draft<'_>, around: Around<'_>) -> Problem {
        match violation.field.as_deref() {
            None => self.violation_together(violation, node, draft, around),
            Some("") => Problem::new(self.path.clone(), node.span, violation.message),
            Some(name) => self.violation_of(name, violation.message.clone(), node),
        }
    }

    fn violation_together(
        &self,
        violation: Violation,
        node: &Node,
        draft: &Draft<'_>,
        around: Around<'_>,
    ) -> Problem {
        let mut path = self.path.clone();
        if !around.prefix.is_empty() {
            path.pop();
        }
        // It may ask for a field that is there, but mistyped.
        let mistyped = |name: &String| violation.message.contains(&format!("'{}{name}'", around.prefix));
        let implied = violation.implied || draft.meant.iter().any(mistyped);
        let problem = Problem::new(path, node.span, violation.message).about(Matter::Entity);
        Problem { implied, ..problem }
    }

    fn violation_of(&self, name: &str, message: String, node: &Node) -> Problem {
        let at = name.split('.').try_fold(node, |node, part| node.get(part));
        let span = at.map_or(node.span, |value| value.span);
        let problem = Problem::new(self.path.to(name), span, message);
        match at.filter(|value| !value.is_null()) {
            Some(value) => problem.finding(value.describe()),
            None => problem,
        }
    }
}

impl Draft<'_> {
    /// Whether the rule looks at a field that is wrong.
    fn spoils(&self, rule: &Rule) -> bool {
        if self.failed.is_empty() {
            return false;
        }
        let inputs = rule.inputs();
        let wrong = |name: &&str| self.failed.contains(&name.split('.').next().unwrap_or_default());
        inputs.is_empty() || inputs.iter().any(wrong)
    }
}
