//! `/batch`: many writes in one change, all of them or none. Not Kong's.

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::{
    answer::Answer,
    conditions::Conditions,
    fields::Fields,
    handle::Asked,
    make::{Ask, make},
    place::Place,
};
use crate::{
    Control,
    admin::{body, json, reply::Failure},
    control::Draft,
};

/// The longest body, bytes.
const LONGEST: usize = 64 << 20;

/// The most writes of one batch.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    method: String,
    path: String,
    #[serde(default)]
    body: Map<String, Value>,
    if_match: Option<String>,
}

/// Makes all writes of a batch, each on top of those before it, in one revision.
pub(in crate::admin) async fn batch(control: Arc<Control>, request: Request) -> Result<Response, Failure> {
    let asked = Asked::of(&request)?;
    let body = body::in_time(body::whole(request, LONGEST)).await?;
    let wrong = |error: serde_json::Error| Failure::Batch(error.to_string());
    let batch = match json::value(&body) {
        Ok(batch) => serde_json::from_value::<Batch>(batch).map_err(wrong)?,
        Err(json::Wrong::Syntax(error)) => return Err(wrong(error)),
        Err(twice @ json::Wrong::Twice(_)) => return Err(twice.into()),
    };
    if batch.operations.len() > MOST {
        return Err(Failure::Batch(format!("a batch has at most {MOST} operations")));
    }
    let asks = batch.operations.into_iter().enumerate().map(|(index, operation)| {
        operation.ask().map_err(|failure| Failure::Operation { index, failure: Box::new(failure) })
    });
    let asks: Vec<Ask> = asks.collect::<Result<_, _>>()?;
    asked.run_whole(control, move |draft| all(draft, &asks)).await
}

fn all(draft: &mut Draft<'_>, asks: &[Ask]) -> Result<Answer, Failure> {
    let one = |(index, ask): (usize, &Ask)| {
        let answer =
            make(draft, ask).map_err(|failure| Failure::Operation { index, failure: Box::new(failure) })?;
        Ok(json!({ "status": answer.status.as_u16(), "body": answer.body }))
    };
    let results = asks.iter().enumerate().map(one).collect::<Result<Vec<_>, Failure>>()?;
    Ok(Answer::new(StatusCode::OK, json!({ "results": results })))
}

impl Operation {
    fn ask(self) -> Result<Ask, Failure> {
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| Failure::MethodNotAllowed)?;
        let place = Place::of(&self.path).ok_or(Failure::NotFound)?;
        let mut headers = HeaderMap::new();
        if let Some(tag) = self.if_match {
            let tag =
                HeaderValue::try_from(tag).map_err(|_| Failure::Batch("if_match is no tag".to_owned()))?;
            headers.insert(header::IF_MATCH, tag);
        }
        let conditions = Conditions::of(&headers)?;
        Ok(Ask { method, place, fields: Fields::Json(self.body), conditions })
    }
}
