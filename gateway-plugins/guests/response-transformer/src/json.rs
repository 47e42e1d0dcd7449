//! What is done to a JSON object.

use members::Members;
use plugin_sdk::{
    pair,
    serde_json::{Number, Value},
};

use crate::config::{Config, Values};

/// What is done to a JSON object, in its order.
#[derive(Default)]
pub(crate) struct Edits {
    remove: Vec<String>,
    rename: Vec<(String, String)>,
    replace: Vec<(String, Value)>,
    add: Vec<(String, Value)>,
    append: Vec<(String, Value)>,
}

impl Edits {
    /// What a configuration does; none where it does nothing.
    pub(crate) fn of(config: Config) -> Option<Self> {
        let Config { remove, rename, replace, add, append } = config;
        let names = remove.json.iter().filter_map(|rule| pair::split(rule));
        let renames = rename.json.iter().filter_map(|rule| pair::split(rule));
        let edits = Self {
            remove: names.map(|(name, _)| name.to_owned()).collect(),
            rename: renames
                .filter(|(_, new)| !new.is_empty())
                .map(|(old, new)| (old.to_owned(), new.to_owned()))
                .collect(),
            replace: values(&replace),
            add: values(&add),
            append: values(&append),
        };
        let rules = [edits.replace.len(), edits.add.len(), edits.append.len(), edits.rename.len()];
        (!edits.remove.is_empty() || rules.iter().any(|rules| *rules > 0)).then_some(edits)
    }

    /// The text of the object with all that done; none where it is no object.
    pub(crate) fn apply(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut members = Members::of(text).ok()??;
        self.remove.iter().for_each(|name| members.remove(name));
        self.rename.iter().for_each(|(old, new)| members.rename(old, new));
        self.replace.iter().for_each(|(name, value)| members.replace(name, value));
        self.add.iter().for_each(|(name, value)| members.add(name, value));
        self.append.iter().for_each(|(name, value)| members.append(name, value));
        Some(members.text())
    }
}

/// The names and values of rules; those whose value is not of its type do nothing.
fn values(rules: &Values) -> Vec<(String, Value)> {
    let kinds = rules.json_types.iter().map(String::as_str).chain(std::iter::repeat("string"));
    let typed = rules.json.iter().zip(kinds).filter_map(|(rule, kind)| {
        let (name, text) = pair::split(rule).filter(|(_, text)| !text.is_empty())?;
        Some((name.to_owned(), typed(text, kind)?))
    });
    typed.collect()
}

fn typed(text: &str, kind: &str) -> Option<Value> {
    Some(match kind {
        "boolean" => (text == "true").into(),
        "number" => number(text)?.into(),
        _ => text.into(),
    })
}

/// Whole numbers without a point, however they are written.
fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let number = text.parse::<f64>().ok()?;
    let whole = number as i64;
    if whole as f64 == number && whole.abs() < 1 << 53 {
        Some(whole.into())
    } else {
        Number::from_f64(number)
    }
}
