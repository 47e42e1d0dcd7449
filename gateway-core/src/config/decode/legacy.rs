//! Files of the formats before 3.0.

use crate::config::document::{Data, Node};

/// Until 3.0 a path with characters that a plain path cannot have was a regular expression; since
/// then `~` says so. Kong adds it to the paths of older files, and so do we.
pub(super) fn migrate(root: &mut Node) {
    if !matches!(root.get("_format_version").and_then(Node::as_str), Some("1.1" | "2.1")) {
        return;
    }
    routes_of(root);
    for service in children(root, "services") {
        routes_of(service);
    }
}

fn routes_of(node: &mut Node) {
    for path in children(node, "routes").flat_map(|route| children(route, "paths")) {
        match &mut path.data {
            Data::String(path) if is_pattern(path) => path.insert(0, '~'),
            _ => {}
        }
    }
}

/// The elements of the list `name` in a map.
fn children<'n>(node: &'n mut Node, name: &str) -> impl Iterator<Item = &'n mut Node> {
    let entries = match &mut node.data {
        Data::Map(entries) => entries.as_mut_slice(),
        _ => &mut [],
    };
    let list = entries.iter_mut().find(|entry| entry.key == name).map(|entry| &mut entry.value.data);
    let items = match list {
        Some(Data::List(items)) => items.as_mut_slice(),
        _ => &mut [],
    };
    items.iter_mut()
}

fn is_pattern(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~/%".contains(&byte);
    path.starts_with('/') && !path.bytes().all(plain)
}
