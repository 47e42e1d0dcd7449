//! What the answer will carry.

use std::borrow::Cow;

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

/// Makes a list of header fields, to be written on the answers to many requests: its number is the answer. Names and
/// values that are always the same are said once. The same list made twice under one configuration is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<'a> {
    /// Names, and the values of those that are always the same: 1 to 64.
    #[serde(borrow)]
    pub fields: Vec<(&'a str, Option<&'a str>)>,
}

impl Call for List<'_> {
    const NAME: &'static str = "gateway.response.list";
    type Answer<'a> = u32;
}

/// Writes the fields of a [`List`] on the answer that is yet to come, as [`Headers`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill<'a> {
    /// The number of the list.
    pub list: u32,
    /// The values of those fields that have none in the list, in its order.
    #[serde(borrow)]
    pub values: Cow<'a, [Value<'a>]>,
}

impl Call for Fill<'_> {
    const NAME: &'static str = "gateway.response.fill";
    type Answer<'a> = ();
}

/// The value of a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value<'a> {
    /// In decimal digits.
    Number(u64),
    /// As it is.
    Text(&'a str),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
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
