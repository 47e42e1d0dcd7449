//! Time that passes.

use std::time::Duration;

use plugin_contract::time;

use crate::{Call, Function, Reply, Status};

/// The longest sleep.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Sleep;

impl Function for Sleep {
    type Arguments<'a> = time::Sleep;

    fn call<'a>(
        &'a self,
        time::Sleep { milliseconds }: time::Sleep,
        _: &'a mut Call<'_>,
    ) -> Result<Reply<()>, Status> {
        let duration = Duration::from_millis(milliseconds.into()).min(LONGEST);
        Ok(Reply::later(tokio::time::sleep(duration)))
    }
}
