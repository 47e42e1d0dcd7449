//! What a write answers.

use gateway_core::config::Config;
use http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    admin::{
        etag,
        kind::{Kind, count_down, shown},
    },
    control::Draft,
};

/// What a write answers, once it is kept.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Answer {
    pub(super) status: StatusCode,
    /// Nothing after a DELETE.
    pub(super) body: Option<Value>,
    pub(super) tells: Tells,
    /// Of the entity that it is about, where it is about one.
    pub(super) tag: Option<String>,
}

/// What the body of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// What was done: that is known once it is kept.
    Differences,
    /// What its body says.
    Other,
}

impl Answer {
    pub(in crate::admin) const fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body), tells: Tells::Other, tag: None }
    }

    /// What was done, and in which revision.
    pub(in crate::admin) const fn differences(status: StatusCode) -> Self {
        Self { status, body: None, tells: Tells::Differences, tag: None }
    }

    /// Nothing is there any more (compat A26).
    pub(super) const fn gone() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, tells: Tells::Other, tag: None }
    }

    /// An entity as it is now.
    pub(super) fn entity(draft: &Draft<'_>, kind: &Kind, id: Uuid, status: StatusCode) -> Self {
        let mut body = entity(draft, draft.config(), kind, id);
        let tag = body.as_ref().map(etag::of_entity);
        if let Some(body) = &mut body {
            count_down(kind.collection, body);
        }
        Self { status, body, tells: Tells::Other, tag }
    }
}

/// An entity as a reply shows it.
pub(super) fn entity(draft: &Draft<'_>, config: &Config, kind: &Kind, id: Uuid) -> Option<Value> {
    let flavor = draft.gateway().settings().router_flavor;
    kind.by_id(config, id).map(|row| shown(config, kind.collection, flavor, row))
}
