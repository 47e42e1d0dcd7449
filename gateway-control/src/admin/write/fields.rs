//! The fields that a request brings.

use axum::extract::Request;
use gateway_core::config::schema::Record;
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::form;
use crate::admin::{body, extract::LONGEST as SHORT, json, reply::Failure};

/// The longest body of one entity, bytes.
const LONGEST: usize = 10 << 20;

/// The most fields of a form: each costs more than its bytes.
const MOST: usize = 10_000;

/// The fields that a request brings.
#[derive(Clone, Debug)]
pub(in crate::admin) enum Fields {
    /// With types.
    Json(Map<String, Value>),
    /// Texts: what they mean is for the table of the entity.
    Form(Map<String, Value>),
}

impl Fields {
    /// Reads a body, whatever its form (compat M4, A28).
    pub(super) async fn read(request: Request) -> Result<Self, Failure> {
        Self::within(LONGEST, request).await
    }

    async fn within(longest: usize, request: Request) -> Result<Self, Failure> {
        match body::media_type(request.headers()).as_str() {
            "application/json" => Self::json(&body::whole(request, longest).await?),
            "application/x-www-form-urlencoded" => {
                let body = body::whole(request, longest).await?;
                let pairs = form_urlencoded::parse(&body).into_owned();
                Self::form(pairs.map(|(name, value)| (name, Value::from(value))))
            }
            "multipart/form-data" => {
                let parts = body::parts(request, longest).await?;
                let meant = |part: body::Part| Ok(meant(&part)?.map(|value| (part.name, value)));
                let parts = parts.into_iter().map(meant).collect::<Result<Vec<_>, Failure>>()?;
                Self::form(parts.into_iter().flatten())
            }
            "" if is_empty(request.headers()) => Ok(Self::none()),
            _ => Err(Failure::MediaType),
        }
    }

    /// The same for a question, where a body that does not say its form is JSON.
    pub(in crate::admin) async fn asked(request: Request) -> Result<Self, Failure> {
        match body::media_type(request.headers()).as_str() {
            "application/x-www-form-urlencoded" | "multipart/form-data" => Self::within(SHORT, request).await,
            _ => Self::json(&body::whole(request, SHORT).await?),
        }
    }

    /// No fields at all.
    pub(super) fn none() -> Self {
        Self::Json(Map::new())
    }

    pub(super) fn json(body: &[u8]) -> Result<Self, Failure> {
        json::fields(body).map(Self::Json)
    }

    fn form(pairs: impl Iterator<Item = (String, Value)>) -> Result<Self, Failure> {
        let pairs: Vec<_> = pairs.take(MOST + 1).collect();
        if pairs.len() > MOST {
            return Err(Failure::TooLarge);
        }
        Ok(Self::Form(form::decode(pairs)))
    }

    /// A field that is a text in either form.
    pub(in crate::admin) fn text(&self, name: &str) -> Option<&str> {
        let (Self::Json(fields) | Self::Form(fields)) = self;
        fields.get(name)?.as_str()
    }

    /// A field as it came.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let (Self::Json(fields) | Self::Form(fields)) = self;
        fields.get(name)
    }

    /// The fields as this table takes them; a plugin's `config` as the plugin's own does.
    pub(in crate::admin) fn typed(&self, record: &Record, config: Option<&Record>) -> Map<String, Value> {
        match self {
            Self::Json(fields) => fields.clone(),
            Self::Form(fields) => {
                let mut fields = fields.clone();
                form::typed(&mut fields, record);
                if let Some((record, Value::Object(config))) = config.zip(fields.get_mut("config")) {
                    form::typed(config, record);
                }
                fields
            }
        }
    }
}

fn meant(part: &body::Part) -> Result<Option<Value>, Failure> {
    if part.is_json {
        match json::value(&part.value) {
            Ok(value) => return Ok(Some(value)),
            Err(json::Wrong::Syntax(_)) => {}
            Err(twice) => return Err(twice.into()),
        }
    }
    Ok(String::from_utf8(part.value.to_vec()).ok().map(Value::from))
}

fn is_empty(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    !headers.contains_key(header::TRANSFER_ENCODING) && length.is_none_or(|length| length == "0")
}
