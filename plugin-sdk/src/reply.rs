//! An answer of a plugin's own.

use std::borrow::Cow;

/// An answer that a plugin gives in place of the upstream.
///
/// ```
/// use plugin_sdk::Reply;
///
/// let reply = Reply::new(401).header("www-authenticate", "Key").message("No API key found in request");
/// assert_eq!(reply.status(), 401);
/// assert_eq!(reply.body(), br#"{"message":"No API key found in request"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Reply {
    status: u16,
    refusal: Option<Cow<'static, str>>,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    body: Vec<u8>,
}

impl Reply {
    /// With a status from 200 to 599, and nothing else.
    pub const fn new(status: u16) -> Self {
        Self { status, refusal: None, headers: Vec::new(), body: Vec::new() }
    }

    /// A refusal in the gateway's own form: the message and the request's id, as the client asks for it (`Accept`).
    pub fn refuse(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self { refusal: Some(message.into()), ..Self::new(status) }
    }

    /// With one more header field.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a body of this type.
    pub fn with_body(self, content_type: impl Into<Cow<'static, str>>, body: impl Into<Vec<u8>>) -> Self {
        let mut reply = self.header("content-type", content_type);
        reply.body = body.into();
        reply
    }

    /// With a body that says nothing of its type.
    pub fn with_plain_body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with_body("", body)
    }

    /// With `{"message":"..."}` as its body, whatever the client asks for.
    pub fn message(self, message: &str) -> Self {
        let body = serde_json::json!({ "message": message }).to_string();
        self.with_body("application/json; charset=utf-8", body)
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What a refusal says.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Its header fields.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
