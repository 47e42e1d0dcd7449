//! What handlers take out of a request, refused in our words: axum's own are plain text.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
};
use http::request::Parts;
use serde::{Deserialize, de::DeserializeOwned};

use super::{body, reply::Failure};

/// The longest body of a question, bytes.
pub(super) const LONGEST: usize = 2 << 20;

/// The names in a path. Where they cannot be what they must be, nothing is there: 404.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(names)| Self(names)).map_err(|_| Failure::NotFound)
    }
}

/// The ids or names in a path: of the entity, or of its parent and of the entity.
#[derive(Deserialize)]
pub(super) struct Names {
    #[serde(default)]
    pub(super) first: String,
    #[serde(default)]
    pub(super) second: String,
}

/// A short body, whole and in time.
pub(super) struct Short(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Short {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        body::in_time(body::whole(request, LONGEST)).await.map(Self)
    }
}
