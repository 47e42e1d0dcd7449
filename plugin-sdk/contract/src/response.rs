//! What the answer will carry.

use serde::{Deserialize, Serialize};

use crate::Call;

/// Writes header fields on the answer that is yet to come, whoever makes it: the upstream, another plugin, or the one
/// that calls. It may be called in the request's phase; they are written when the plugin's turn comes on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers<'a> {
    /// Names and values. Each takes the place of all fields of its name, but for `set-cookie`, which is added.
    #[serde(borrow)]
    pub set: Vec<(&'a str, &'a str)>,
}

impl Call for Headers<'_> {
    const NAME: &'static str = "gateway.response.headers";
    type Answer<'a> = ();
}

/// Answers the request with a refusal in the gateway's own form: the message and the request's id, as JSON, XML, HTML
/// or text, as the client asks (`Accept`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse<'a> {
    /// From 400 to 599.
    pub status: u16,
    /// What is said.
    pub message: &'a str,
    /// Header fields beside those of the body.
    #[serde(borrow)]
    pub headers: Vec<(&'a str, &'a str)>,
}

impl Call for Refuse<'_> {
    const NAME: &'static str = "gateway.response.refuse";
    type Answer<'a> = ();
}
