//! A request to write: read, made on a thread that may wait, answered.

use std::{sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    answer::{Answer, Tells},
    conditions::{Conditions, Standing},
    fields::Fields,
    findings::findings,
    make::{Ask, make},
    place::{Place, discreet},
};
use crate::{
    Control,
    admin::{
        access::caller,
        body,
        etag::Whole,
        page::Query,
        reply::{self, Failure},
    },
    control::{Draft, Mode, Written},
    store::Note,
};

/// How long a write waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What goes for every write.
#[derive(Debug)]
pub(in crate::admin) struct Asked {
    note: Note,
    mode: Mode,
    conditions: Conditions,
}

/// POST, PUT, PATCH and DELETE of entities.
pub(in crate::admin) async fn entity(control: Arc<Control>, request: Request) -> Result<Response, Failure> {
    let place = Place::of(request.uri().path()).ok_or(Failure::NotFound)?;
    let asked = Asked::of(&request)?;
    let method = request.method().clone();
    let fields = match method.as_str() {
        "DELETE" => Fields::none(),
        _ => body::in_time(Fields::read(request)).await?,
    };
    let ask = Ask { method, place, fields, conditions: asked.conditions.clone() };
    asked.run(control, move |draft| make(draft, &ask)).await
}

impl Asked {
    pub(in crate::admin) fn of(request: &Request) -> Result<Self, Failure> {
        let is_dry = Query::of(request.uri().query()).is_dry()?;
        let mode = if is_dry { Mode::Try } else { Mode::Make };
        let what = format!("{} {}", request.method(), discreet(request.uri().path()));
        let conditions = Conditions::of(request.headers())?;
        Ok(Self { note: Note::new(caller(request), what), mode, conditions })
    }

    pub(in crate::admin) const fn note(&self) -> &Note {
        &self.note
    }

    pub(in crate::admin) const fn mode(&self) -> Mode {
        self.mode
    }

    /// Refuses where what must be so for the whole is not.
    pub(in crate::admin) fn check(&self, whole: Whole) -> Result<(), Failure> {
        self.conditions.check(whole, || Standing::Whole)
    }

    /// Makes a write that is about more than one entity.
    pub(in crate::admin) async fn run_whole(
        self,
        control: Arc<Control>,
        evaluate: impl Fn(&mut Draft<'_>) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Response, Failure> {
        let conditions = self.conditions.clone();
        let checked = move |draft: &mut Draft<'_>| {
            let verdict = conditions.check(Whole::At(draft.revision()), || Standing::Whole);
            let answer = evaluate(draft)?;
            verdict.map(|()| answer)
        };
        self.run(control, checked).await
    }

    /// Makes a write, when its turn has come, and answers.
    async fn run(
        self,
        control: Arc<Control>,
        evaluate: impl Fn(&mut Draft<'_>) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Response, Failure> {
        let turn = timeout(PATIENCE, Arc::clone(control.turn()).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Failure::Busy) };
        // The turn goes along: a client that leaves does not let the next one in.
        let made = spawn_blocking(move || {
            let _turn = turn;
            let written = control.write(&self.note, self.mode, evaluate)?;
            Ok(match self.mode {
                Mode::Make => answer(&written),
                Mode::Try => tried(&control, &written),
            })
        });
        made.await.unwrap_or(Err(Failure::Unexpected))
    }
}

fn answer(written: &Written<Answer>) -> Response {
    let Answer { status, body, tells, tag } = &written.outcome;
    let mut response = match (tells, body) {
        (Tells::Differences, _) => {
            let differences = written.changed.differences();
            reply::json(*status, &json!({ "revision": written.revision, "differences": differences }))
        }
        (_, Some(body)) => reply::json(*status, body),
        (_, None) => reply::empty(*status),
    };
    reply::stamp_whole(&mut response, Whole::At(written.revision));
    if let Some(tag) = tag.as_ref().and_then(|own| HeaderValue::try_from(own).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// What would be, and is not.
pub(in crate::admin) fn tried(control: &Control, written: &Written<Answer>) -> Response {
    let changed = &written.changed;
    let old = changed.config.apply(&changed.before);
    reply::json(
        StatusCode::OK,
        &json!({
            "dry_run": true,
            "revision": written.revision,
            "status": written.outcome.status.as_u16(),
            "body": written.outcome.body,
            "differences": changed.differences(),
            "lint": findings(control, &old, &changed.config),
        }),
    )
}
