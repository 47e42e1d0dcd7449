//! What plugins of one request tell each other: properties that they set, by other means.

use std::sync::Arc;

use plugin_contract::{
    Call as _,
    var::{Get, Set},
};

use super::{now, read};
use crate::{Call, Function, Reply, Returned, Status, function::serve, services::Services};

pub(super) fn register(services: &mut Services) {
    services.add(Get::NAME, Arc::new(get));
    serve(services, Setting);
}

fn get(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Get { name } = read(arguments)?;
    let value = call.notes.and_then(|notes| notes.get(name.as_bytes()));
    now::<Get<'_>>(call, value.as_deref())
}

struct Setting;

impl Function for Setting {
    type Arguments<'a> = Set<'a>;

    fn call<'a>(
        &'a self,
        Set { name, value }: Set<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<bool>, Status> {
        let notes = call.notes.ok_or(Status::BadArgument)?;
        Ok(Reply::Now(notes.set(name.as_bytes(), value).is_ok()))
    }
}
