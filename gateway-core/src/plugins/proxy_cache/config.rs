//! The plugin's configuration: its fields, and what comes of them.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{key::Varying, media::MediaType, policy::Policy};
use crate::config::schema::{Field, Record};

const DICTIONARY: &str = "kong_db_cache";

pub(super) fn schema() -> Record {
    let method = Field::one_of("", &["HEAD", "GET", "POST", "PATCH", "PUT"]);
    let shown = |name| Field::boolean(name).default(true);
    let memory = Record::new(vec![
        Field::string("dictionary_name")
            .required()
            .default(DICTIONARY)
            .doc("name of the store: one name, one store"),
    ]);
    let headers = Record::new(vec![
        shown("age").doc("whether a stored answer tells its age"),
        shown("X-Cache-Status").doc("whether answers tell what the cache did"),
        shown("X-Cache-Key").doc("whether answers tell their key"),
    ]);
    Record::new(vec![
        Field::array("response_code", Field::integer("").between(100, 900))
            .required()
            .shortest(1)
            .default(json!([200, 301, 404]))
            .doc("statuses that are stored"),
        Field::array("request_method", method)
            .required()
            .default(json!(["GET", "HEAD"]))
            .doc("methods that are answered from the cache"),
        Field::strings("content_type")
            .required()
            .default(json!(["text/plain", "application/json"]))
            .doc("media types that are stored, with their parameters; `*/*` stands for any"),
        Field::integer("cache_ttl")
            .default(300)
            .greater_than(0)
            .doc("seconds for which an answer is used, unless `cache_control` is on"),
        Field::one_of("strategy", &["memory"]).required().doc("where answers are stored"),
        Field::boolean("cache_control")
            .required()
            .default(false)
            .doc("whether Cache-Control counts, as RFC 9111 says"),
        Field::boolean("ignore_uri_case")
            .default(false)
            .doc("whether paths that differ in case alone are one"),
        Field::integer("storage_ttl").doc(
            "seconds for which an answer is stored; 0: while there is room; unset: as long as it is used",
        ),
        Field::record("memory", memory).required().doc("the store"),
        Field::strings("vary_query_params").doc("arguments of the query that tell answers apart; unset: all"),
        Field::strings("vary_headers")
            .doc("request fields that tell answers apart, besides those that an answer names in Vary"),
        Field::record("response_headers", headers).required().doc("what answers tell of the cache"),
    ])
}

#[derive(Deserialize)]
pub(super) struct Config {
    response_code: Option<Vec<u16>>,
    request_method: Option<Vec<String>>,
    content_type: Option<Vec<String>>,
    cache_ttl: Option<u64>,
    #[serde(default)]
    cache_control: bool,
    ignore_uri_case: Option<bool>,
    storage_ttl: Option<i64>,
    memory: Option<Memory>,
    vary_query_params: Option<Vec<String>>,
    vary_headers: Option<Vec<String>>,
    response_headers: Option<Shown>,
}

#[derive(Deserialize)]
struct Memory {
    dictionary_name: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    pub(super) age: Option<bool>,
    #[serde(rename = "X-Cache-Status")]
    pub(super) status: Option<bool>,
    #[serde(rename = "X-Cache-Key")]
    pub(super) key: Option<bool>,
}

impl Config {
    pub(super) fn policy(&self) -> Result<Policy, String> {
        let methods = self.request_method.as_ref().map_or_else(
            || Ok([Method::GET, Method::HEAD].into()),
            |names| names.iter().map(|name| name.parse()).collect::<Result<_, _>>(),
        );
        let statuses =
            self.response_code.as_deref().unwrap_or(&[200, 301, 404]).iter().map(|code| status(*code));
        let types: Vec<_> = match &self.content_type {
            Some(types) => types.iter().map(|text| MediaType::new(text)).collect(),
            None => ["text/plain", "application/json"].map(MediaType::new).into(),
        };
        let storage_ttl = self.storage_ttl.map(u64::try_from).transpose();
        Ok(Policy {
            methods: methods.map_err(|error| format!("request_method: {error}"))?,
            statuses: statuses.collect::<Result<_, _>>()?,
            content_types: types.into(),
            cache_control: self.cache_control,
            cache_ttl: self.cache_ttl.unwrap_or(300),
            storage_ttl: storage_ttl
                .map_err(|_| "storage_ttl: must not be negative")?
                .map(Duration::from_secs),
        })
    }

    /// The name of the store.
    pub(super) fn dictionary(&self) -> &str {
        self.memory.as_ref().and_then(|memory| memory.dictionary_name.as_deref()).unwrap_or(DICTIONARY)
    }

    pub(super) fn shown(&self) -> Shown {
        self.response_headers.unwrap_or_default()
    }

    pub(super) fn varying(&self) -> Result<Varying, String> {
        let names = self.vary_headers.iter().flatten();
        let name = |name: &String| {
            HeaderName::try_from(name.as_str())
                .map_err(|_| format!("vary_headers: {name}: not the name of a header field"))
        };
        Ok(Varying {
            // An empty list is none, as in Kong.
            arguments: self.vary_query_params.clone().filter(|names| !names.is_empty()).map(Into::into),
            headers: names.map(name).collect::<Result<_, _>>()?,
            ignore_case: self.ignore_uri_case.unwrap_or(false),
        })
    }
}

/// A status that can be stored: not a part of an answer, nor one that has no meaning without its request.
fn status(code: u16) -> Result<StatusCode, String> {
    match code {
        206 | 304 | ..200 => Err(format!("response_code: {code}: answers with this status are never stored")),
        _ => StatusCode::from_u16(code).map_err(|_| format!("response_code: {code}: not a status")),
    }
}
