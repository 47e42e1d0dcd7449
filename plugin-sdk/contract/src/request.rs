//! The request, beyond its fields.

use serde::{Deserialize, Serialize};

use crate::Call;

/// The path and the query that the request goes upstream with, as they stand now: the route has taken off what it takes
/// off, the service's path stands before the rest, and plugins may have written others. What the client asked for is
/// the field `:path`, which is also where another target is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target;

impl Call for Target {
    const NAME: &'static str = "gateway.request.target";
    type Answer<'a> = &'a str;
}

/// The path and the query as the client sent them, byte by byte: what a signature is of. The field `:path` has them in
/// canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received;

impl Call for Received {
    const NAME: &'static str = "gateway.request.received";
    type Answer<'a> = &'a str;
}
