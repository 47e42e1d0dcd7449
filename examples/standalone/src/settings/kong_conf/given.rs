//! What stands in Kong's file and in its variables.

use std::collections::BTreeMap;

use crate::failure::Failure;

/// A setting and where it stands.
pub(super) struct Given {
    pub(super) value: String,
    pub(super) origin: String,
}

/// `key = value` a line, `#` begins a comment unless it follows a backslash.
pub(super) fn lines(text: &str, name: &str) -> Result<BTreeMap<String, Given>, Failure> {
    let mut given = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let origin = format!("{name}:{}", number + 1);
        let line = without_comment(line);
        if line.is_empty() {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("{origin}: `{line}`: expected key = value")))?;
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = unquoted.unwrap_or(value).to_owned();
        given.insert(key.trim().to_lowercase(), Given { value, origin });
    }
    Ok(given)
}

fn without_comment(line: &str) -> String {
    let mut end = line.len();
    for (at, _) in line.match_indices('#') {
        if !line[..at].ends_with('\\') {
            end = at;
            break;
        }
    }
    line[..end].trim().replace("\\#", "#")
}

/// A variable that says a setting. Those that Kubernetes makes of a service named kong do not.
pub(super) fn variable(name: &str, value: String) -> Option<(String, Given)> {
    let key = name.strip_prefix("KONG_")?.to_lowercase();
    let of_a_service = key.contains("service_host")
        || key.contains("service_port")
        || key == "port"
        || key.contains("port_") && value.contains("://");
    let filled = !value.is_empty() && !of_a_service;
    filled.then(|| (key, Given { value, origin: name.to_owned() }))
}
