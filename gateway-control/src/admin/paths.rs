//! Paths and the methods that each takes.

use std::sync::Arc;

use axum::{Router, routing::MethodRouter};
use http::{StatusCode, header};

use super::reply::Failure;
use crate::Control;

/// The paths while they are put together.
#[derive(Default)]
pub(super) struct Paths {
    router: Router<Arc<Control>>,
    /// All of them, as they were added.
    list: Vec<String>,
}

impl Paths {
    pub(super) fn add(mut self, path: impl Into<String>, methods: MethodRouter<Arc<Control>>) -> Self {
        let path = path.into();
        let router = self.router.route(&path, methods);
        self.list.push(path);
        Self { router, list: self.list }
    }

    pub(super) fn list(&self) -> &[String] {
        &self.list
    }

    pub(super) fn into_router(self) -> Router<Arc<Control>> {
        self.router
    }
}

/// The methods of a path, with Kong's answers to `OPTIONS` and to all others (compat A27).
pub(super) fn endpoint(
    methods: MethodRouter<Arc<Control>>,
    allow: &'static str,
) -> MethodRouter<Arc<Control>> {
    methods
        .options(move || async move {
            let headers = [
                (header::ALLOW, allow),
                (header::ACCESS_CONTROL_ALLOW_METHODS, allow),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
            ];
            (StatusCode::NO_CONTENT, headers)
        })
        .fallback(|| async { Failure::MethodNotAllowed })
}
