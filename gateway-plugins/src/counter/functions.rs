//! What guests call.

use std::sync::Arc;

use plugin_contract::counter::Add;

use super::{Counted, Counters};
use crate::{
    Builder, Status,
    call::Call,
    function::{Function, Reply},
};

impl Builder {
    /// Lets it count: `gateway.counter.add`.
    #[must_use]
    pub fn counters(self, counters: Arc<dyn Counters>) -> Self {
        self.serve(Count(counters))
    }
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
