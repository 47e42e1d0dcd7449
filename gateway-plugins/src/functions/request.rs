//! The request, beyond its fields.

use http::uri::PathAndQuery;
use plugin_contract::request;

use crate::{Call, Function, Reply, Status, function::serve, services::Services};

pub(super) fn register(services: &mut Services) {
    serve(services, Target);
    serve(services, Received);
}

struct Target;

impl Function for Target {
    type Arguments<'a> = request::Target;

    fn call<'a>(&'a self, _: request::Target, call: &'a mut Call<'_>) -> Result<Reply<&'a str>, Status> {
        let request = call.request.as_deref().ok_or(Status::BadArgument)?;
        Ok(Reply::Now(request.uri().path_and_query().map_or("/", PathAndQuery::as_str)))
    }
}

struct Received;

impl Function for Received {
    type Arguments<'a> = request::Received;

    fn call<'a>(&'a self, _: request::Received, call: &'a mut Call<'_>) -> Result<Reply<&'a str>, Status> {
        let exchange = call.exchange.ok_or(Status::BadArgument)?;
        Ok(Reply::Now(exchange.uri.path_and_query().map_or("/", PathAndQuery::as_str)))
    }
}
