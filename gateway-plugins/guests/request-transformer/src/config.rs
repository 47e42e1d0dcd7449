//! The configuration, in Kong's words.

use plugin_sdk::prelude::*;

/// The configuration. What it says is done in this order: remove, rename, replace, add, append. Values may be templates.
#[config]
pub struct Config {
    /// The method that the upstream is asked with.
    #[field(format = "method")]
    pub(crate) http_method: Option<String>,
    /// What is taken out.
    pub(crate) remove: Names,
    /// What gets another name: `old:new`.
    pub(crate) rename: Renames,
    /// What gets another value, where it is there: `name:value`.
    pub(crate) replace: Replacements,
    /// What is added where it is not there: `name:value`.
    pub(crate) add: Values,
    /// What is added in any case: `name:value`.
    pub(crate) append: Values,
}

/// Names.
#[config]
pub(crate) struct Names {
    /// Of fields of the body.
    #[field(default = [])]
    pub(crate) body: Vec<String>,
    /// Of header fields.
    #[field(default = [], format = "header")]
    pub(crate) headers: Vec<String>,
    /// Of arguments of the query.
    #[field(default = [])]
    pub(crate) querystring: Vec<String>,
}

/// Names and other names.
#[config]
pub(crate) struct Renames {
    /// Of fields of the body.
    #[field(default = [], format = "name:template")]
    pub(crate) body: Vec<String>,
    /// Of header fields.
    #[field(default = [], format = "header:header")]
    pub(crate) headers: Vec<String>,
    /// Of arguments of the query.
    #[field(default = [], format = "name:template")]
    pub(crate) querystring: Vec<String>,
}

/// Names and values.
#[config]
pub(crate) struct Values {
    /// Of fields of the body.
    #[field(default = [], format = "name:template")]
    pub(crate) body: Vec<String>,
    /// Of header fields.
    #[field(default = [], format = "header:value")]
    pub(crate) headers: Vec<String>,
    /// Of arguments of the query.
    #[field(default = [], format = "name:template")]
    pub(crate) querystring: Vec<String>,
}

/// Names and values, and a path.
#[config]
pub(crate) struct Replacements {
    /// Of fields of the body.
    #[field(default = [], format = "name:template")]
    pub(crate) body: Vec<String>,
    /// Of header fields.
    #[field(default = [], format = "header:value")]
    pub(crate) headers: Vec<String>,
    /// Of arguments of the query.
    #[field(default = [], format = "name:template")]
    pub(crate) querystring: Vec<String>,
    /// The path that the upstream is asked for. The query stays.
    pub(crate) uri: Option<String>,
}
