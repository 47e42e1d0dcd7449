//! What is done to header fields.

use plugin_sdk::{pair, prelude::*};

use crate::config::Config;

/// One thing to do. Names are written small.
pub(crate) enum Edit {
    Remove(String),
    Rename(String, String),
    Replace(String, String),
    Add(String, String),
    Append(String, String),
}

/// What a configuration does to header fields, in its order.
pub(crate) fn edits(config: &Config) -> Vec<Edit> {
    let names = |list: &[String]| {
        list.iter().filter_map(|rule| Some(small(pair::split(rule)?.0))).collect::<Vec<_>>()
    };
    let pairs = |list: &[String]| {
        let pairs = list.iter().filter_map(|rule| pair::split(rule)).filter(|(_, value)| !value.is_empty());
        pairs.map(|(name, value)| (small(name), value.to_owned())).collect::<Vec<_>>()
    };
    let mut edits: Vec<_> = names(&config.remove.headers).into_iter().map(Edit::Remove).collect();
    edits.extend(pairs(&config.rename.headers).into_iter().map(|(old, new)| Edit::Rename(old, small(&new))));
    edits.extend(pairs(&config.replace.headers).into_iter().map(|(name, value)| Edit::Replace(name, value)));
    edits.extend(pairs(&config.add.headers).into_iter().map(|(name, value)| Edit::Add(name, value)));
    edits.extend(pairs(&config.append.headers).into_iter().map(|(name, value)| Edit::Append(name, value)));
    edits
}

fn small(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl Edit {
    pub(crate) fn apply(&self, response: &mut Response) {
        match self {
            Self::Remove(name) => response.remove_header(name),
            Self::Rename(old, new) => rename(response, old, new),
            Self::Replace(name, value) if response.header(name).is_some() => response.set_header(name, value),
            Self::Add(name, value) if response.header(name).is_none() => response.set_header(name, value),
            Self::Append(name, value) => response.add_header(name, value),
            Self::Replace(..) | Self::Add(..) => {}
        }
    }
}

/// All values of the old name, in place of those of the new one.
fn rename(response: &mut Response, old: &str, new: &str) {
    if old == new || response.header(old).is_none() {
        return;
    }
    let values = response.header_values(old);
    response.remove_header(old);
    response.remove_header(new);
    values.iter().for_each(|value| response.add_header(new, value));
}
