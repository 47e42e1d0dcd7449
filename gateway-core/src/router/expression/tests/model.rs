//! The language as plainly as can be: what a tree says of a request, predicate by predicate.

use std::{cell::RefCell, collections::HashMap};

use regex::Regex;

use super::{
    super::{
        field::TextField,
        node::Node,
        operator::Operator,
        predicate::{Comparison, Predicate},
    },
    Given,
    values::{address, decoded, number, on_the_wire, texts},
};

/// What the model says of a request: whether the expression holds, and how many bytes of the path it took.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) taken: usize,
}

impl Model {
    pub(super) fn holds(&mut self, node: &Node, given: &Given, takes: bool) -> bool {
        match node {
            Node::Predicate(predicate) => self.predicate(predicate, given, takes),
            Node::Not(node) => !self.holds(node, given, false),
            Node::All(nodes) => nodes.iter().all(|node| self.holds(node, given, takes)),
            Node::Any(nodes) => nodes.iter().any(|node| self.holds(node, given, takes)),
        }
    }

    fn predicate(&mut self, predicate: &Predicate, given: &Given, takes: bool) -> bool {
        match &predicate.comparison {
            Comparison::Number(field, operator, constant) => {
                number(*field, given).is_some_and(|value| match operator {
                    Operator::Equals => value == *constant,
                    Operator::NotEquals => value != *constant,
                    Operator::Greater => value > *constant,
                    Operator::GreaterOrEqual => value >= *constant,
                    Operator::Less => value < *constant,
                    _ => value <= *constant,
                })
            }
            Comparison::Address(field, operator, constant) => address(*field, given)
                .is_some_and(|value| (value.ip() == *constant) == (*operator == Operator::Equals)),
            Comparison::Network(field, operator, network) => address(*field, given)
                .is_some_and(|value| network.contains(&value.ip()) == (*operator == Operator::In)),
            Comparison::Text(field, operator, constant) => {
                let folded = |text: &str| match field {
                    TextField::Host | TextField::Sni => {
                        let is_end =
                            matches!(operator, Operator::Equals | Operator::NotEquals | Operator::Suffix);
                        let text = text.to_lowercase();
                        if is_end && text.len() > 1 { text.trim_end_matches('.').to_owned() } else { text }
                    }
                    _ => text.to_owned(),
                };
                let constant = folded(constant);
                let held = |value: &String| match operator {
                    Operator::Equals => *value == constant,
                    Operator::NotEquals => *value != constant,
                    Operator::Prefix => value.starts_with(&constant),
                    Operator::Suffix => value.ends_with(&constant),
                    _ => value.contains(&constant),
                };
                let holds = quantified(predicate, field, given, held);
                if holds && takes && *field == TextField::Path {
                    match operator {
                        Operator::Equals => self.taken = given.path.len(),
                        Operator::Prefix => self.taken = on_the_wire(&constant),
                        _ => {}
                    }
                }
                holds
            }
            Comparison::Search(field, search) => {
                let regex = regex(&search.text);
                let holds = quantified(predicate, field, given, |value| regex.is_match(value));
                if holds && takes && *field == TextField::Path {
                    let value = cased(predicate, decoded(&given.path));
                    let found = regex.find(&value).unwrap();
                    self.taken = if found.start() == 0 { on_the_wire(found.as_str()) } else { 0 };
                }
                holds
            }
        }
    }
}

fn quantified(
    predicate: &Predicate,
    field: &TextField,
    given: &Given,
    holds: impl Fn(&String) -> bool,
) -> bool {
    let values: Vec<String> = texts(field, given).into_iter().map(|value| cased(predicate, value)).collect();
    match predicate.any {
        true => values.iter().any(holds),
        false => !values.is_empty() && values.iter().all(holds),
    }
}

/// Each is compiled once: that is most of the time of a run.
fn regex(text: &str) -> Regex {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    let compile = || Regex::new(text).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(text.to_owned()).or_insert_with(compile).clone())
}

fn cased(predicate: &Predicate, value: String) -> String {
    if predicate.lower { value.to_lowercase() } else { value }
}
