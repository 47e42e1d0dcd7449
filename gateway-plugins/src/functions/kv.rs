//! Values kept under keys.

use std::sync::Arc;

use plugin_contract::{
    Call as _,
    kv::{Delete, Entry, Get, Outcome, Set},
};

use super::{now, read};
use crate::{Call, Function, Reply, Returned, Status, function::serve, services::Services};

pub(super) fn register(services: &mut Services) {
    services.add(Get::NAME, Arc::new(get));
    serve(services, Put);
    serve(services, Remove);
}

/// The answer points into a value that others may replace meanwhile, so it is written here.
fn get(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let kept = call.sources.values.get(call.plugin, &read(arguments)?);
    let entry = kept.as_ref().map(|(value, version)| Entry { value, version: *version });
    now::<Get<'_>>(call, entry)
}

struct Put;

impl Function for Put {
    type Arguments<'a> = Set<'a>;

    fn call<'a>(&'a self, set: Set<'a>, call: &'a mut Call<'_>) -> Result<Reply<Outcome>, Status> {
        Ok(Reply::Now(call.sources.values.set(call.plugin, &set)))
    }
}

struct Remove;

impl Function for Remove {
    type Arguments<'a> = Delete<'a>;

    fn call<'a>(&'a self, delete: Delete<'a>, call: &'a mut Call<'_>) -> Result<Reply<bool>, Status> {
        Ok(Reply::Now(call.sources.values.delete(call.plugin, &delete)))
    }
}
