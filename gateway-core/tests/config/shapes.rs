//! The shapes of docs/compat/entities.md: what an entity of few words becomes (compat J1 to J8).

use gateway_core::config::Config;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{fine, parse, refused};

const PAGE: &str = include_str!("../../../docs/compat/entities.md");
const SHOP: &str = include_str!("../data/kong.yml");

/// The fields of `kind` on the page.
fn shape(kind: &str) -> Map<String, Value> {
    let block = PAGE.split("Shapes J1 to J8\n```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let shapes = serde_json::Deserializer::from_str(block.unwrap_or_default()).into_iter::<Value>();
    let found = shapes.filter_map(Result::ok).find_map(|shape| shape[kind].as_object().cloned());
    found.unwrap_or_else(|| panic!("no shape of {kind}"))
}

/// Whether `value` is what the page says: its placeholders stand for any of their kind, and 0 for any time.
fn fits(name: &str, shape: &Value, value: &Value) -> bool {
    match shape {
        Value::String(text) if text == "uuid" => value.as_str().is_some_and(|id| id.len() == 36),
        Value::String(text) if text == "PEM" => value.as_str().is_some_and(|pem| pem.contains("-----BEGIN")),
        Value::String(text) if text == "sha256hex" => value.as_str().is_some_and(|hex| hex.len() == 64),
        Value::Number(_) if name.ends_with("_at") => value.is_number(),
        Value::Number(number) => value.as_f64() == number.as_f64(),
        Value::Array(shapes) => value.as_array().is_some_and(|values| {
            shapes.len() == values.len()
                && shapes.iter().zip(values).all(|(shape, own)| fits(name, shape, own))
        }),
        Value::Object(shape) => value.as_object().is_some_and(|value| {
            shape.len() == value.len()
                && shape.iter().all(|(name, shape)| value.get(name).is_some_and(|own| fits(name, shape, own)))
        }),
        shape => shape == value,
    }
}

/// Each field of the page is there as it says, and no other.
#[track_caller]
fn has_shape(kind: &str, entity: Option<impl Serialize>, not_kept: &[&str], beside: &[&str]) {
    let value = serde_json::to_value(entity).unwrap_or_default();
    assert!(value.is_object(), "no {kind}");
    let (mut shape, mut fields) = (shape(kind), value.as_object().cloned().unwrap_or_default());
    shape.retain(|name, _| !not_kept.contains(&name.as_str()));
    fields.retain(|name, _| !beside.contains(&name.as_str()));
    let wrong: Vec<_> = shape
        .iter()
        .filter(|(name, shape)| !fields.get(*name).is_some_and(|own| fits(name, shape, own)))
        .map(|(name, shape)| (name, shape, fields.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{kind}: {wrong:?}");
    // The page leaves the times out here and there.
    let more: Vec<_> =
        fields.keys().filter(|name| !shape.contains_key(*name) && !name.ends_with("_at")).collect();
    assert!(more.is_empty(), "{kind} has more: {more:?}");
}

#[test]
fn s1_j1_to_j6_an_entity_of_few_words_gets_kongs_defaults() {
    let config = fine(
        "services:\n- {name: a, host: h, routes: [{paths: [/p]}]}\nupstreams:\n- {name: u, targets: [{target: '10.0.0.1:8080'}]}\n\
         consumers:\n- username: u\nplugins:\n- name: key-auth",
    );
    has_shape("service", config.services.values().next(), &[], &[]);
    has_shape("route", config.routes.values().next(), &[], &[]);
    has_shape("upstream", config.upstreams.values().next(), &[], &[]);
    has_shape("target", config.targets.values().next(), &[], &[]);
    has_shape("consumer", config.consumers.values().next(), &[], &[]);
    has_shape("plugin", config.plugins.values().next(), &["config"], &["config"]);
}

#[test]
fn j7_certificates_names_and_anchors() {
    let config: Config = parse(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
    let values = |name| -> &'static [&'static str] { if name { &["name", "tags"] } else { &["tags"] } };
    has_shape("certificate", config.certificates.values().next(), &["snis", "tags"], values(false));
    has_shape("sni", config.snis.values().next(), values(true), values(true));
    has_shape("ca_certificate", config.ca_certificates.values().next(), values(false), values(false));
}

/// Filters are plugins here, by a name of their own; a chain that would be ignored is refused.
#[test]
fn j8_a_chain_of_filters_is_refused_with_its_place() {
    let chain = Value::Object(shape("filter_chain"));
    let file = serde_json::json!({ "_format_version": "3.0", "filter_chains": [chain] });
    let problems = refused(&file.to_string());
    let told: Vec<_> =
        problems.iter().map(|problem| (problem.field().dotted(), problem.message.as_str())).collect();
    assert_eq!(told, [("filter_chains".to_owned(), "unknown field")]);
    assert!(problems.iter().all(|problem| problem.span.is_some()), "{problems}");
}

#[test]
fn j9_the_frame_of_a_file() {
    for version in ["1.1", "2.1", "3.0"] {
        let text = format!(
            "_format_version: '{version}'\n_transform: true\n_comment: [any, thing]\n_ignore: [{{of: all}}]\n\
             _info: {{select_tags: [a], defaults: {{}}}}\n_workspace: default\nservices: [{{name: a, host: h}}]"
        );
        let config = parse(&text).unwrap_or_else(|problems| panic!("{version}: {problems}"));
        assert_eq!(config.services.len(), 1);
    }
    for text in [
        "services: []",
        "_format_version: '4.0'",
        "_format_version: 3.0",
        "_format_version: '3.0'\n_transfrom: true",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
