//! A failure that brings its whole answer.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Mutex, PoisonError},
};

use http::Response;

use crate::Body;

/// An error with which a request body may fail: whoever reads the body gives this answer, as long as nothing
/// has gone to the client. A plugin that judges a body while it streams refuses it so; where a status and a
/// text are enough, there is [`Refusal`](super::Refusal).
pub struct Instead(Mutex<Option<Response<Body>>>);

impl Instead {
    /// An error that is answered with `response`.
    #[must_use]
    pub const fn new(response: Response<Body>) -> Self {
        Self(Mutex::new(Some(response)))
    }

    /// Takes the answer out of `error`, or out of what caused it.
    #[must_use]
    pub fn take(error: &(dyn StdError + 'static)) -> Option<Response<Body>> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(Self(response)) = error.downcast_ref() {
                return response.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Debug for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instead")
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plugin answers in place of the upstream")
    }
}

impl StdError for Instead {}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::Instead;
    use crate::{Body, Error, Reason};

    #[test]
    fn the_answer_is_found_under_other_errors_and_taken_once() {
        let error = Error::new(Reason::BadRequestBody, Instead::new(Response::new(Body::from("no"))));
        assert!(Instead::take(&error).is_some());
        assert!(Instead::take(&error).is_none());
    }
}
