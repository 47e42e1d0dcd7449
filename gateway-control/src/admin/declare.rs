//! `/config`: the whole configuration at once (compat A48, A49, A51).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use gateway_core::config::Config;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    body,
    etag::Whole,
    json,
    kind::{KINDS, id_of},
    page::Query,
    reply::{self, Failure},
    write::{Answer, Asked, findings, tried},
};
use crate::{
    Control, Differences, Hash, Loaded, Refusal,
    control::{Draft, Mode},
};

/// The longest body that is read, bytes.
const LONGEST: usize = 64 << 20;

/// How long a change waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration as YAML text; secrets stay where they are.
pub(super) async fn show(State(control): State<Arc<Control>>) -> Response {
    let view = control.view();
    let mut response = reply::ok(&json!({ "config": view.config().to_yaml() }));
    reply::stamp_whole(&mut response, Whole::of(&view));
    response
}

/// A new configuration in place of the one that runs. Over a store it is one change, in one revision.
pub(super) async fn load(State(control): State<Arc<Control>>, request: Request) -> Response {
    let query = Query::of(request.uri().query());
    let asked = match Asked::of(&request) {
        Ok(asked) => asked,
        Err(failure) => return failure.into_response(),
    };
    // Before the turn is taken: a client that sends slowly holds up nobody else.
    let posted = match body::in_time(Posted::read(request)).await {
        Ok(posted) => posted,
        Err(failure) => return failure.into_response(),
    };
    let turn = Arc::clone(control.turn()).acquire_owned();
    let Ok(Ok(turn)) = timeout(PATIENCE, turn).await else { return busy() };
    let is_on = |name: &str| query.is_on(name) || posted.switches.iter().any(|switch| switch == name);
    let (check_hash, flatten) = (is_on("check_hash"), is_on("flatten_errors"));
    let Some(text) = posted.config else {
        return reply::message(StatusCode::BAD_REQUEST, "expected a declarative configuration");
    };
    if check_hash && Hash::of(&text) == control.hash() {
        return reply::empty(StatusCode::NOT_MODIFIED);
    }
    // Reading and compiling may take seconds; other requests are answered meanwhile. The turn goes
    // along: a client that leaves does not let the next one in.
    let loaded = spawn_blocking(move || {
        let _turn = turn;
        match control.store() {
            Some(_) => keep(&control, &text, &asked, check_hash),
            None => take(&control, &text, &asked),
        }
    });
    match loaded.await {
        Ok(Ok(response)) => response,
        Ok(Err(Refused::Text(refusal))) => refused(&refusal, flatten),
        Ok(Err(Refused::Request(failure))) => failure.into_response(),
        Err(_) => Failure::Unexpected.into_response(),
    }
}

/// Why a configuration is not taken: for what is in it, or for how it was asked for.
enum Refused {
    Text(Refusal),
    Request(Failure),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Problems(_) | Refusal::Certificates(_) => Self::Text(refusal),
            other => Self::Request(other.into()),
        }
    }
}

/// Over a store the digest is that of a revision: the same is what makes no change.
fn keep(control: &Control, text: &str, asked: &Asked, check_hash: bool) -> Result<Response, Refused> {
    let check = |draft: &Draft<'_>| asked.check(Whole::At(draft.revision())).map_err(Refused::Request);
    let written = control.write_text(text, asked.note(), asked.mode(), check)?;
    let written = written.map(|()| Answer::new(StatusCode::CREATED, Value::Null));
    Ok(match asked.mode() {
        Mode::Try => tried(control, &written),
        Mode::Make if check_hash && written.changed.change.is_empty() => {
            reply::empty(StatusCode::NOT_MODIFIED)
        }
        Mode::Make => {
            let mut response = reply::json(StatusCode::CREATED, &entities(&written.changed.config));
            reply::stamp_whole(&mut response, Whole::At(written.revision));
            response
        }
    })
}

/// The same without a store.
fn take(control: &Control, text: &str, asked: &Asked) -> Result<Response, Refused> {
    let check = |hash| asked.check(Whole::Text(hash)).map_err(Refused::Request);
    if asked.mode() == Mode::Make {
        let Loaded { config, hash, .. } = control.load_where(text, check)?;
        let mut response = reply::json(StatusCode::CREATED, &entities(&config));
        reply::stamp_whole(&mut response, Whole::Text(hash));
        return Ok(response);
    }
    let (old, new) = control.try_text(text)?;
    check(control.hash())?;
    Ok(reply::ok(&json!({
        "dry_run": true,
        "revision": null,
        "status": StatusCode::CREATED.as_u16(),
        "body": null,
        "differences": Differences::between(&old, &new),
        "lint": findings(control, &old, &new),
    })))
}

fn busy() -> Response {
    let text = "Currently processing the previous configuration";
    let mut response = reply::message(StatusCode::TOO_MANY_REQUESTS, text);
    response.headers_mut().insert(header::RETRY_AFTER, PATIENCE.as_secs().into());
    response
}

fn refused(refusal: &Refusal, flatten: bool) -> Response {
    let body = if flatten { refusal.flattened_body() } else { refusal.body() };
    reply::json(StatusCode::BAD_REQUEST, &body)
}

/// Every entity by kind and id, without the kinds that there are none of.
fn entities(config: &Config) -> Value {
    let by_id = KINDS.iter().map(|kind| {
        let rows = (kind.rows)(config, None);
        let by_id = rows.filter_map(|row| Some((id_of(&row)?.to_owned(), row)));
        (kind.collection.to_owned(), by_id.collect::<Map<_, _>>())
    });
    by_id.filter(|(_, rows)| !rows.is_empty()).map(|(kind, rows)| (kind, Value::Object(rows))).collect()
}

/// What a body says.
#[derive(Default)]
struct Posted {
    config: Option<String>,
    /// Switches that are on, where they stand in the body.
    switches: Vec<String>,
}

impl Posted {
    async fn read(request: Request) -> Result<Self, Failure> {
        match body::media_type(request.headers()).as_str() {
            "application/x-www-form-urlencoded" => Ok(Self::form(&body::whole(request, LONGEST).await?)),
            "multipart/form-data" => Self::multipart(request).await,
            "application/json" => Self::json(&body::whole(request, LONGEST).await?),
            "" | "text/yaml" | "text/x-yaml" | "application/yaml" | "application/x-yaml" => {
                Self::text(&body::whole(request, LONGEST).await?)
            }
            _ => Err(Failure::MediaType),
        }
    }

    fn text(body: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8(body.to_vec()).map_err(|_| Failure::Encoding)?;
        Ok(Self { config: Some(text).filter(|text| !text.is_empty()), switches: Vec::new() })
    }

    fn form(body: &[u8]) -> Self {
        let mut posted = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            posted.put(&name, value.into_owned());
        }
        posted
    }

    async fn multipart(request: Request) -> Result<Self, Failure> {
        let mut posted = Self::default();
        for part in body::parts(request, LONGEST).await? {
            posted.put(&part.name, String::from_utf8(part.value.to_vec()).map_err(|_| Failure::Encoding)?);
        }
        Ok(posted)
    }

    /// Either the configuration itself, or its text under `config`.
    fn json(body: &[u8]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let fields = match json::value(body) {
            Ok(Value::Object(fields)) => fields,
            // In a configuration it is told with its place.
            Err(json::Wrong::Twice(_)) => return Self::text(body),
            _ => return Err(Failure::Json),
        };
        let Some(Value::String(_)) = fields.get("config") else { return Self::text(body) };
        let mut posted = Self::default();
        for (name, value) in fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            posted.put(&name, value);
        }
        Ok(posted)
    }

    fn put(&mut self, name: &str, value: String) {
        if name == "config" {
            self.config = Some(value).filter(|text| !text.is_empty());
        } else if value == "1" {
            self.switches.push(name.to_owned());
        }
    }
}
