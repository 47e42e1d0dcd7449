#![allow(missing_docs)]
use super::{Config, schema::PluginSchemas};
#[derive(Debug, Clone)]
pub struct Problem(pub String);
impl Problem {
    pub(crate) fn in_entity(
        kind: &str,
        id: uuid::Uuid,
        name: Option<&str>,
        field: &str,
        message: String,
    ) -> Self {
        Self(format!("{kind} {id} {name:?} {field}: {message}"))
    }
}
#[derive(Debug, Clone)]
pub struct Problems(pub Vec<Problem>);
impl From<Vec<Problem>> for Problems {
    fn from(l: Vec<Problem>) -> Self {
        Self(l)
    }
}
impl Config {
    pub fn check(&self, _: &dyn PluginSchemas) -> Result<Self, Problems> {
        Ok(self.clone())
    }
}
impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
impl std::error::Error for Problems {}
