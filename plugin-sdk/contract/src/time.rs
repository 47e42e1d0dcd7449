//! Time that passes.

use serde::{Deserialize, Serialize};

use crate::Call;

/// Answers after a while, at most a minute. The request is held meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleep {
    /// How long.
    pub milliseconds: u32,
}

impl Call for Sleep {
    const NAME: &'static str = "gateway.time.sleep";
    type Answer<'a> = ();
}
