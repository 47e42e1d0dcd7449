//! What is done to header fields.

use plugin_sdk::prelude::*;

use crate::rules::{Action, Rendered};

/// Does what a rule says. `Host` can only be replaced.
pub(crate) fn apply(request: &mut Request, (action, name, value): Rendered<'_>) {
    if name == "host" {
        if action == Action::Replace {
            request.set_authority(&value);
        }
        return;
    }
    match action {
        Action::Remove => request.remove_header(name),
        Action::Rename => rename(request, name, &value),
        Action::Replace if request.header(name).is_some() => request.set_header(name, &value),
        Action::Add if request.header(name).is_none() => request.set_header(name, &value),
        Action::Append => request.add_header(name, &value),
        Action::Replace | Action::Add => {}
    }
}

/// Whether a field can have this value (RFC 9110 section 5.5).
pub(crate) fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

/// All values of the old name, in place of those of the new one.
fn rename(request: &mut Request, old: &str, new: &str) {
    if old == new || new == "host" || request.header(old).is_none() {
        return;
    }
    let values = request.header_values(old);
    request.remove_header(old);
    request.remove_header(new);
    values.iter().for_each(|value| request.add_header(new, value));
}
