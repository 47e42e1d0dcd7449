//! Numbers that are counted up and down.

use std::sync::Arc;

use plugin_contract::counter::Add;

use crate::{
    Call, Function, Reply, Status,
    counter::{Counted, Counters},
    plugin::Builder,
};

pub(crate) fn serve(builder: Builder, counters: Arc<dyn Counters>) -> Builder {
    builder.serve(Count(counters))
}

/// `gateway.counter.add`
struct Count(Arc<dyn Counters>);

impl Function for Count {
    type Arguments<'a> = Add<'a>;

    fn call<'a>(&'a self, add: Add<'a>, call: &'a mut Call<'_>) -> Result<Reply<Option<i64>>, Status> {
        Ok(match self.0.add(call.plugin, &add) {
            Counted::Now(count) => Reply::Now(Some(count)),
            Counted::Later(late) => Reply::later(late),
        })
    }
}
