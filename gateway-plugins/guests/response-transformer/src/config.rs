//! The configuration, in Kong's words.

use plugin_sdk::prelude::*;

/// The configuration. What it says is done in this order: remove, rename, replace, add, append.
#[config]
pub struct Config {
    /// What is taken out.
    pub(crate) remove: Names,
    /// What gets another name: `old:new`.
    pub(crate) rename: Renames,
    /// What gets another value, where it is there: `name:value`.
    pub(crate) replace: Values,
    /// What is added where it is not there: `name:value`.
    pub(crate) add: Values,
    /// What is added in any case: `name:value`.
    pub(crate) append: Values,
}

/// Names.
#[config]
pub(crate) struct Names {
    /// Of header fields.
    #[field(default = [])]
    pub(crate) headers: Vec<String>,
    /// Of members of a JSON object.
    #[field(default = [])]
    pub(crate) json: Vec<String>,
}

/// Names and other names.
#[config]
pub(crate) struct Renames {
    /// Of header fields.
    #[field(default = [], format = "header:header")]
    pub(crate) headers: Vec<String>,
    /// Of members of a JSON object.
    #[field(default = [], format = "name:value")]
    pub(crate) json: Vec<String>,
}

/// Names and values.
#[config]
pub(crate) struct Values {
    /// Of header fields.
    #[field(default = [], format = "name:value")]
    pub(crate) headers: Vec<String>,
    /// Of members of a JSON object.
    #[field(default = [], format = "name:value")]
    pub(crate) json: Vec<String>,
    /// The types of those members, in their order: texts where nothing is said.
    #[field(default = [], one_of = ["boolean", "number", "string"])]
    pub(crate) json_types: Vec<String>,
}
