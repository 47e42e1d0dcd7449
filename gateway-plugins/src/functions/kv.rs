//! Values kept under keys.

use std::sync::Arc;

use plugin_contract::{
    Call as _, NOW, decode, encode,
    kv::{Delete, Entry, Get, Outcome, Set},
};

use crate::{Call, ForeignFunction, Function, Reply, Returned, Status, kv::KeyValues, plugin::Builder};

pub(crate) fn serve(builder: Builder, values: Arc<dyn KeyValues>) -> Builder {
    let (get, set) = (Look(Arc::clone(&values)), Put(Arc::clone(&values)));
    builder.function(Get::NAME, get).serve(set).serve(Remove(values))
}

/// `gateway.kv.get`: the answer points into a value that others may replace meanwhile, so it is written here.
struct Look(Arc<dyn KeyValues>);

impl ForeignFunction for Look {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        let get: Get<'_> = decode(arguments).ok_or(Status::BadArgument)?;
        let kept = self.0.get(call.plugin, &get);
        let entry = kept.as_ref().map(|(value, version)| Entry { value, version: *version });
        let mut answer = std::mem::take(call.answer);
        answer.push(NOW);
        *call.answer = encode(&entry, answer).map_err(|_| Status::SerializationFailure)?;
        Ok(Returned::Written)
    }
}

/// `gateway.kv.set`
struct Put(Arc<dyn KeyValues>);

impl Function for Put {
    type Arguments<'a> = Set<'a>;

    fn call<'a>(&'a self, set: Set<'a>, call: &'a mut Call<'_>) -> Result<Reply<Outcome>, Status> {
        Ok(Reply::Now(self.0.set(call.plugin, &set)))
    }
}

/// `gateway.kv.delete`
struct Remove(Arc<dyn KeyValues>);

impl Function for Remove {
    type Arguments<'a> = Delete<'a>;

    fn call<'a>(&'a self, delete: Delete<'a>, call: &'a mut Call<'_>) -> Result<Reply<bool>, Status> {
        Ok(Reply::Now(self.0.delete(call.plugin, &delete)))
    }
}
