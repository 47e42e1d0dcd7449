//! The data set as a declarative file, as a user would write it: only the fields that say something.

use std::fmt::{Display, Write};

use gateway_core::config::Route;

use super::DataSet;

pub(super) fn write(set: &DataSet) -> String {
    let mut text = String::from("_format_version: '3.0'\nservices:\n");
    for (number, service) in set.services.iter().enumerate() {
        let name = service.name.as_deref().unwrap_or_default();
        line(&mut text, format_args!("- name: {name}"));
        line(&mut text, format_args!("  url: http://{}:{}", service.host, service.port));
        line(&mut text, "  routes:");
        for its in set.routes.iter().skip(number).step_by(set.services.len()) {
            route(&mut text, its);
        }
    }
    text
}

fn route(text: &mut String, route: &Route) {
    line(text, format_args!("  - name: {}", route.name.as_deref().unwrap_or_default()));
    let fields = [("hosts", &route.hosts), ("paths", &route.paths), ("methods", &route.methods)];
    for (field, values) in fields {
        if let Some(values) = values {
            line(text, format_args!("    {field}: [{}]", quoted(values)));
        }
    }
    if let Some(headers) = &route.headers {
        line(text, "    headers:");
        for (name, values) in headers {
            line(text, format_args!("      {name}: [{}]", quoted(values)));
        }
    }
}

/// In single quotes YAML has no escapes but that of the quote, and the values have no quotes.
fn quoted(values: &[String]) -> String {
    values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, line: impl Display) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
