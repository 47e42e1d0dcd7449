//! What a module says of itself, read without running it.

use std::fmt;

use gateway_core::config::schema::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmparser::Payload;

use crate::{LoadError, OnError, grants::granted, sections::Sections};

/// The custom section that the SDK writes it into.
const SECTION: &str = "gateway-plugin";
/// Bytes of it.
const LONGEST: usize = 256 << 10;

/// What a plugin built with the SDK says of itself.
///
/// ```
/// use gateway_plugins::{LoadError, Manifest};
///
/// let module = wat::parse_str(r#"(module (@custom "gateway-plugin" "{\"name\":\"mine\",\"version\":\"1.0.0\"}"))"#)
///     .unwrap();
/// let manifest = Manifest::of(&module)?.unwrap();
/// assert_eq!((manifest.name.as_str(), manifest.priority), ("mine", 1000));
/// # Ok::<_, LoadError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The name that configurations use.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its place in the chain: higher runs first. Default 1000.
    #[serde(default = "priority")]
    pub priority: i32,
    /// What becomes of a request that it fails on, where a configuration does not say.
    #[serde(default)]
    pub on_error: Value,
    /// Its phases.
    #[serde(default)]
    pub phases: Vec<String>,
    /// Whether it reads the request's body while it holds the head.
    #[serde(default)]
    pub reads_body: bool,
    /// The protocols of the routes it can be put on; empty: all of HTTP.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// What it asks to be allowed.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// What it cannot be put on.
    #[serde(default)]
    pub refused: Vec<String>,
    /// A JSON Schema of its configuration.
    #[serde(default)]
    pub config: Value,
}

const fn priority() -> i32 {
    1_000
}

impl Manifest {
    /// The manifest of a module in WebAssembly's binary format; none where it has none, as modules of other SDKs.
    ///
    /// # Errors
    /// What is no module, or a manifest that is none.
    pub fn of(module: &[u8]) -> Result<Option<Self>, LoadError> {
        let Some(json) = section(module)? else { return Ok(None) };
        if json.len() > LONGEST {
            let (wanted, limit) = (json.len() as u64, LONGEST as u64);
            return Err(LoadError::Limit { what: "the manifest's size in bytes", wanted, limit });
        }
        serde_json::from_slice(json).map(Some).map_err(|error| LoadError::Manifest(error.to_string()))
    }

    /// The table of its configuration, with where it can be put.
    pub(crate) fn table(&self) -> Result<Record, LoadError> {
        let mut table = match &self.config {
            Value::Null => Record::default(),
            schema => Record::from_json_schema(schema).map_err(LoadError::Manifest)?,
        };
        let granted = granted();
        if table.field(&granted.name).is_some() {
            return Err(LoadError::Manifest("config.host: this name is the gateway's own".to_owned()));
        }
        table.fields.push(granted);
        table.placement.refused = self.refused.iter().cloned().map(Into::into).collect();
        if !self.protocols.is_empty() {
            table.placement.protocols = self.protocols.iter().cloned().map(Into::into).collect();
        }
        Ok(table)
    }

    /// Its error policy.
    pub(crate) fn policy(&self) -> Result<OnError, LoadError> {
        if self.on_error.is_null() {
            return Ok(OnError::default());
        }
        OnError::from_value(&self.on_error)
            .map_err(|message| LoadError::Manifest(format!("on_error: {message}")))
    }

    /// Whether it has a phase.
    pub(crate) fn has(&self, phase: &str) -> bool {
        self.phases.iter().any(|own| own == phase)
    }
}

/// The lines of `gateway plugin inspect`.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        writeln!(f, "{} {}", self.name, self.version)?;
        writeln!(f, "priority  {}", self.priority)?;
        writeln!(f, "phases    {}", list(&self.phases))?;
        writeln!(f, "asks for  {}", list(&self.capabilities))?;
        writeln!(f, "config")?;
        let fields = self.config.get("properties").and_then(Value::as_object);
        for (name, field) in fields.into_iter().flatten() {
            let doc = field.get("description").and_then(Value::as_str).unwrap_or_default();
            let default = field.get("default").map(|json| format!(" [default: {json}]")).unwrap_or_default();
            writeln!(f, "  {name}: {}{default}  {doc}", kind(field))?;
        }
        Ok(())
    }
}

/// What a field takes, in a word.
fn kind(field: &Value) -> String {
    match (field.get("enum").and_then(Value::as_array), field.get("type")) {
        (Some(words), _) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        (None, Some(Value::String(word))) if word == "array" => {
            format!("list of {}", field.get("items").map_or_else(|| "anything".to_owned(), kind))
        }
        (None, Some(Value::String(word))) => word.clone(),
        (None, _) => "anything".to_owned(),
    }
}

/// The bytes of the manifest.
fn section(module: &[u8]) -> Result<Option<&[u8]>, LoadError> {
    for section in Sections::of(module) {
        match section? {
            Payload::CustomSection(section) if section.name() == SECTION => return Ok(Some(section.data())),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::Manifest;
    use crate::LoadError;

    fn of(json: &str) -> Result<Option<Manifest>, LoadError> {
        let json = json.replace('"', "\\\"");
        Manifest::of(&wat::parse_str(format!("(module (@custom \"gateway-plugin\" \"{json}\"))")).unwrap())
    }

    #[test]
    fn a_module_may_have_none_and_must_be_one() {
        assert!(Manifest::of(&wat::parse_str("(module)").unwrap()).unwrap().is_none());
        assert!(matches!(Manifest::of(b"no module"), Err(LoadError::Invalid(_))));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_the_reason() {
        let refused = |json: &str| of(json).and_then(|it| it.unwrap().table()).unwrap_err().to_string();
        assert!(refused("{").starts_with("the manifest"), "{}", refused("{"));
        assert!(refused(r#"{"name":"a"}"#).contains("version"));
        let config = r#"{"name":"a","version":"1","config":{"properties":{"x":{"type":"date"}}}}"#;
        assert!(refused(config).ends_with("config.x: date is no type"), "{}", refused(config));
        let policy = of(r#"{"name":"a","version":"1","on_error":"maybe"}"#).unwrap().unwrap().policy();
        assert!(policy.unwrap_err().to_string().contains("on_error"));
    }
}
