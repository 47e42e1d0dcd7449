//! Numbers that are counted up and down.

use plugin_contract::counter::Add;

use crate::{Call, Function, Reply, Status, counter::Counted};

pub(super) struct Count;

impl Function for Count {
    type Arguments<'a> = Add<'a>;

    fn call<'a>(&'a self, add: Add<'a>, call: &'a mut Call<'_>) -> Result<Reply<Option<i64>>, Status> {
        Ok(match call.sources.counters.add(call.plugin, &add) {
            Counted::Now(count) => Reply::Now(Some(count)),
            Counted::Later(late) => Reply::later(late),
        })
    }
}
