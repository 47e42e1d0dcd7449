//! Values kept under keys.

use std::sync::Arc;

use bytes::Bytes;
use plugin_contract::{
    Call as _, encode,
    kv::{Delete, Entry, Fetch, Get, Open, Outcome, Remove, Set, Store},
};

use super::{kept::Kept, now, read};
use crate::{Call, Function, RemoteValues, Reply, Returned, Status, function::serve, services::Services};

/// The stores on servers of one configuration.
type Stores = Kept<Arc<dyn RemoteValues>>;

pub(super) fn register(services: &mut Services) {
    services.add(Get::NAME, Arc::new(get));
    serve(services, Put);
    serve(services, Erase);
    serve(services, Make);
    services.add(Fetch::NAME, Arc::new(fetch));
    serve(services, PutThere);
    serve(services, EraseThere);
}

/// The answer points into a value that others may replace meanwhile, so it is written here.
fn get(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let kept = call.sources.values.get(call.plugin, &read(arguments)?);
    now::<Get<'_>>(call, kept.as_ref().map(entry))
}

struct Put;

impl Function for Put {
    type Arguments<'a> = Set<'a>;

    fn call<'a>(&'a self, set: Set<'a>, call: &'a mut Call<'_>) -> Result<Reply<Outcome>, Status> {
        Ok(Reply::Now(call.sources.values.set(call.plugin, &set)))
    }
}

struct Erase;

impl Function for Erase {
    type Arguments<'a> = Delete<'a>;

    fn call<'a>(&'a self, delete: Delete<'a>, call: &'a mut Call<'_>) -> Result<Reply<bool>, Status> {
        Ok(Reply::Now(call.sources.values.delete(call.plugin, &delete)))
    }
}

struct Make;

impl Function for Make {
    type Arguments<'a> = Open<'a>;

    fn call<'a>(&'a self, open: Open<'a>, call: &'a mut Call<'_>) -> Result<Reply<u32>, Status> {
        let stores: &Stores = call.configuration.kept().ok_or(Status::InternalFailure)?;
        let bytes = encode(&open, Vec::new()).map_err(|_| Status::SerializationFailure)?;
        let make = || call.sources.values.server(&open.redis, open.prefix).ok_or(Status::BadArgument);
        stores.number(&bytes, make).map(Reply::Now)
    }
}

/// The store of this number.
fn store<'c>(number: u32, call: &'c Call<'_>) -> Result<&'c dyn RemoteValues, Status> {
    let stores: &Stores = call.configuration.kept().ok_or(Status::InternalFailure)?;
    stores.get(number).map(AsRef::as_ref).ok_or(Status::BadArgument)
}

/// The answer points into the value, so it is written while that is at hand.
fn fetch(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let fetch: Fetch<'_> = read(arguments)?;
    let late = store(fetch.store, call)?.get(call.plugin, &fetch.get);
    Ok(Returned::Later(Box::pin(async move {
        let kept = late.await;
        let answer = kept.as_ref().map(|kept| kept.as_ref().map(entry));
        // What cannot be encoded is not part of the contract.
        encode(&answer, Vec::new()).unwrap_or_default().into()
    })))
}

fn entry((value, version): &(Bytes, u64)) -> Entry<'_> {
    Entry { value, version: *version }
}

struct PutThere;

impl Function for PutThere {
    type Arguments<'a> = Store<'a>;

    fn call<'a>(&'a self, put: Store<'a>, call: &'a mut Call<'_>) -> Result<Reply<Option<Outcome>>, Status> {
        Ok(Reply::later(store(put.store, call)?.set(call.plugin, &put.set)))
    }
}

struct EraseThere;

impl Function for EraseThere {
    type Arguments<'a> = Remove<'a>;

    fn call<'a>(&'a self, remove: Remove<'a>, call: &'a mut Call<'_>) -> Result<Reply<Option<bool>>, Status> {
        Ok(Reply::later(store(remove.store, call)?.delete(call.plugin, &remove.delete)))
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::{
        Call as _,
        kv::{Delete, Entry, Fetch, Get, Only, Open, Outcome, Remove, Set, Store},
    };

    use super::register;
    use crate::{
        ForeignFunction, Status,
        functions::testing::{Plugin, answer},
        redis::{server::RedisServer, tests::redis},
        services::Services,
    };

    /// A function by its name.
    #[derive(Clone, Copy)]
    struct Named(&'static Services, &'static str);

    impl ForeignFunction for Named {
        fn call(&self, arguments: &[u8], call: &mut crate::Call<'_>) -> Result<crate::Returned, Status> {
            self.0.function(self.1.as_bytes()).unwrap().call(arguments, call)
        }
    }

    fn functions() -> &'static Services {
        let mut services = Services::new(Plugin::default().sources);
        register(&mut services);
        Box::leak(Box::new(services))
    }

    const GET: Get<'_> = Get { namespace: "n", key: "k" };
    const SET: Set<'_> = Set { namespace: "n", key: "k", value: b"v", ttl: Some(60), only: Only::Absent };

    #[tokio::test]
    async fn a_store_on_a_server_is_used_by_its_number() {
        let Some(server) = RedisServer::start(&[]) else { return };
        let (all, plugin) = (functions(), Plugin::default());
        let open = Open { redis: redis(server.port), prefix: "a" };
        let made = plugin.ask(Named(all, Open::NAME), &open).await.unwrap();
        let store: u32 = answer(&made);
        let set = plugin.ask(Named(all, Store::NAME), &Store { store, set: SET }).await.unwrap();
        let Some(Outcome::Done(version)) = answer(&set) else { panic!("{set:?}") };
        let fetched = plugin.ask(Named(all, Fetch::NAME), &Fetch { store, get: GET }).await.unwrap();
        assert_eq!(answer::<Option<Option<Entry<'_>>>>(&fetched), Some(Some(Entry { value: b"v", version })));
        let delete = Delete { namespace: "n", key: "k", only: Only::Version(version) };
        let removed = plugin.ask(Named(all, Remove::NAME), &Remove { store, delete }).await.unwrap();
        assert_eq!(answer::<Option<bool>>(&removed), Some(true));
    }

    #[tokio::test]
    async fn arguments_that_are_none_are_refused() {
        let (all, plugin) = (functions(), Plugin::default());
        for store in [7, u32::MAX] {
            let unknown = plugin.ask(Named(all, Fetch::NAME), &Fetch { store, get: GET }).await;
            assert_eq!(unknown, Err(Status::BadArgument));
        }
        // Nobody listens there: calls get no answer.
        plugin.torment(Named(all, Open::NAME), &Open { redis: redis(1), prefix: "a" }).await;
        plugin.torment(Named(all, Fetch::NAME), &Fetch { store: 0, get: GET }).await;
        plugin.torment(Named(all, Store::NAME), &Store { store: 0, set: SET }).await;
        let delete = Delete { namespace: "n", key: "k", only: Only::Always };
        plugin.torment(Named(all, Remove::NAME), &Remove { store: 0, delete }).await;
    }
}
