//! What a write answers.

use gateway_core::config::Config;
use http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    admin::kind::{Kind, shown},
    control::Draft,
};

/// What a write answers, once it is kept.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Answer {
    pub(super) status: StatusCode,
    /// Nothing after a DELETE.
    pub(super) body: Option<Value>,
    /// Whether the body is one entity, which has a tag of its own.
    pub(super) is_entity: bool,
}

impl Answer {
    pub(in crate::admin) const fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body), is_entity: false }
    }

    /// Nothing is there any more (compat A26).
    pub(super) const fn gone() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, is_entity: false }
    }

    /// An entity as it is now.
    pub(super) fn entity(draft: &Draft<'_>, kind: &Kind, id: Uuid, status: StatusCode) -> Self {
        Self { status, body: entity(draft, draft.config(), kind, id), is_entity: true }
    }
}

/// An entity as a reply shows it.
pub(super) fn entity(draft: &Draft<'_>, config: &Config, kind: &Kind, id: Uuid) -> Option<Value> {
    let flavor = draft.gateway().settings().router_flavor;
    kind.by_id(config, id).map(|row| shown(config, kind.collection, flavor, row))
}
