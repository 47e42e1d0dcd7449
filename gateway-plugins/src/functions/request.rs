//! The request, beyond its fields.

use http::uri::PathAndQuery;
use plugin_contract::request;

use crate::{Call, Function, Reply, Status};

pub(super) struct Target;

impl Function for Target {
    type Arguments<'a> = request::Target;

    fn call<'a>(&'a self, _: request::Target, call: &'a mut Call<'_>) -> Result<Reply<&'a str>, Status> {
        let request = call.request.as_deref().ok_or(Status::BadArgument)?;
        Ok(Reply::Now(request.uri().path_and_query().map_or("/", PathAndQuery::as_str)))
    }
}
