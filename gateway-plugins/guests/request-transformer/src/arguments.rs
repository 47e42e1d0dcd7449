//! What is done to the arguments of a query or a form.

use plugin_sdk::Query;

use crate::rules::{Action, Rendered};

/// Does what rules say.
pub(crate) fn apply<'r>(arguments: &mut Query, rules: impl IntoIterator<Item = Rendered<'r>>) {
    for (action, name, value) in rules {
        match action {
            Action::Remove => drop(arguments.remove(name)),
            Action::Rename => drop(arguments.rename(name, &value)),
            Action::Replace if arguments.contains(name) => arguments.set(name, &value),
            Action::Add if !arguments.contains(name) => arguments.append(name, &value),
            Action::Append => arguments.append(name, &value),
            Action::Replace | Action::Add => {}
        }
    }
}
