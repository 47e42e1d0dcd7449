//! What the answer will carry.

use serde::{Deserialize, Serialize};

use crate::Call;

/// Writes header fields on the answer that is yet to come, whoever makes it: the upstream, another plugin, or the one
/// that calls. It may be called in the request's phase; they are written when the plugin's turn comes on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers<'a> {
    /// Names and values. Each takes the place of all fields of its name.
    #[serde(borrow)]
    pub set: Vec<(&'a str, &'a str)>,
}

impl Call for Headers<'_> {
    const NAME: &'static str = "gateway.response.headers";
    type Answer<'a> = ();
}
