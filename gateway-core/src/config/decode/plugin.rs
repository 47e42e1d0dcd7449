//! A plugin: its own table, and where it may stand.

use serde_json::{Map, Value};

use super::record::{Around, Decoder, Nulls};
use crate::config::{
    document::{Data, Node},
    problem::{Problem, Step},
    schema::{Placement, PluginSchemas, Record},
};

/// Reads the `config` of a plugin with the plugin's own table, and checks its scope and
/// protocols (compat A37). `given` is the reference that the entity around it brings.
pub(super) fn read(
    decoder: &mut Decoder<'_>,
    plugins: &dyn PluginSchemas,
    node: &Node,
    fields: &mut Map<String, Value>,
    given: Option<&'static str>,
) {
    let Some(name) = fields.get("name").and_then(Value::as_str) else { return };
    let Some(record) = plugins.schema(name) else {
        let problem = at(
            decoder,
            "name",
            node,
            format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property"),
        );
        let names = plugins.names();
        let problem = problem.near(name, names.iter().map(String::as_str));
        let problem = if names.is_empty() { problem } else { problem.allowing(names.join(", ")) };
        return decoder.report(problem);
    };
    if let Some(config) = config(decoder, record, node) {
        fields.insert("config".to_owned(), config);
    }
    scope(decoder, &record.placement, node, fields, given);
    protocols(decoder, &record.placement, node, fields);
}

fn config(decoder: &mut Decoder<'_>, record: &Record, node: &Node) -> Option<Value> {
    let empty = Node { span: node.span, data: Data::Map(Vec::new()) };
    let config = node.get("config").filter(|config| !config.is_null()).unwrap_or(&empty);
    if !matches!(config.data, Data::Map(_)) {
        let problem = at(decoder, "config", node, "expected a record").finding(config.describe());
        decoder.report(problem);
        return None;
    }
    decoder.nulls = Nulls::Keep;
    let around = Around { prefix: "config.", ..Around::default() };
    let fields = decoder.step(Step::field("config"), |decoder| decoder.record(record, config, around));
    decoder.nulls = Nulls::Default;
    Some(Value::Object(fields))
}

fn scope(
    decoder: &mut Decoder<'_>,
    placement: &Placement,
    node: &Node,
    fields: &Map<String, Value>,
    given: Option<&'static str>,
) {
    for field in &placement.refused {
        let set = fields.get(field.as_ref()).is_some_and(|value| !value.is_null());
        if set || given == Some(field.as_ref()) {
            let problem = at(decoder, field, node, "value must be null");
            decoder.report(problem.allowing(format!("this plugin everywhere but on a {field}")));
        }
    }
}

fn protocols(decoder: &mut Decoder<'_>, placement: &Placement, node: &Node, fields: &mut Map<String, Value>) {
    let Some(given) = node.get("protocols").filter(|given| !given.is_null()) else {
        let default = placement.protocols.iter().map(AsRef::as_ref).collect::<Value>();
        fields.insert("protocols".to_owned(), default);
        return;
    };
    for (index, protocol) in given.items().iter().enumerate() {
        let Some(name) = protocol.as_str() else { continue };
        if placement.protocols.iter().any(|allowed| allowed == name) {
            continue;
        }
        let mut path = decoder.path.to("protocols");
        path.push(Step::Index(index));
        let message = format!("expected one of: {}", placement.protocols.join(", "));
        let problem = Problem::new(path, protocol.span, message).finding(protocol.describe());
        decoder.report(problem.near(name, placement.protocols.iter().map(AsRef::as_ref)));
    }
}

/// A problem with one field of the plugin.
fn at(decoder: &Decoder<'_>, field: &str, node: &Node, message: impl Into<String>) -> Problem {
    let span = node.get(field).or(node.get("name")).map_or(node.span, |value| value.span);
    Problem::new(decoder.path.to(field), span, message)
}
