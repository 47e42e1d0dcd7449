//! What is done to the header fields, the query or the body, in its order.

use std::borrow::Cow;

use plugin_sdk::pair;

use crate::template::{Source, Template};

/// What is done to one part of a request, in its order.
pub(crate) struct Rules(Vec<Rule>);

struct Rule {
    action: Action,
    name: String,
    /// The new name, or the value.
    value: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Remove,
    Rename,
    Replace,
    Add,
    Append,
}

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    AsTheyAre,
    /// In small letters: header fields.
    Small,
}

/// A rule with the value that it has for a request.
pub(crate) type Rendered<'r> = (Action, &'r str, Cow<'r, str>);

/// The lists of a configuration for one part.
pub(crate) struct Lists<'c> {
    pub(crate) remove: &'c [String],
    pub(crate) rename: &'c [String],
    pub(crate) replace: &'c [String],
    pub(crate) add: &'c [String],
    pub(crate) append: &'c [String],
}

impl Rules {
    /// The rules in these lists.
    ///
    /// # Errors
    /// A value that is no template.
    pub(crate) fn new(lists: &Lists<'_>, names: Names) -> Result<Self, String> {
        let Lists { remove, rename, replace, add, append } = lists;
        let all = [
            (Action::Remove, remove),
            (Action::Rename, rename),
            (Action::Replace, replace),
            (Action::Add, add),
            (Action::Append, append),
        ];
        let pairs = all
            .iter()
            .flat_map(|(action, list)| list.iter().filter_map(|rule| Some((*action, pair::split(rule)?))));
        let small =
            |text: &str| if names == Names::Small { text.to_ascii_lowercase() } else { text.to_owned() };
        let rule = |(action, (name, value)): (Action, (&str, &str))| {
            let value = if action == Action::Rename { small(value) } else { value.to_owned() };
            Ok(Rule { action, name: small(name), value: Template::parse(&value)? })
        };
        pairs.map(rule).collect::<Result<_, String>>().map(Self)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a value is made for each request.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.iter().all(|rule| rule.value.is_plain())
    }

    /// The rules with their values for a request.
    pub(crate) fn render<'r>(
        &'r self,
        find: &'r impl Fn(Source, &str) -> Option<String>,
    ) -> impl Iterator<Item = Rendered<'r>> {
        self.0.iter().map(move |rule| (rule.action, rule.name.as_str(), rule.value.render(find)))
    }
}
