//! What foreign functions want of an exchange.

use std::sync::Arc;

use gateway_core::{Body, identity::Identity};
use http::{HeaderName, HeaderValue, Response, header::SET_COOKIE};

use crate::Status;

/// What foreign functions want of an exchange. It is done when the callback has returned.
#[derive(Debug, Default)]
pub struct Effects {
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The host takes it as soon as the function has returned.
    pub(crate) reply: Option<Box<Response<Body>>>,
}

impl Effects {
    /// Makes somebody the request's consumer: plugins of lower priority run with the configurations of that consumer.
    /// What the upstream is told stands in the request's header fields ([`Identity::write`]).
    pub fn identify(&mut self, identity: Arc<Identity>) {
        self.identity = Some(identity);
    }

    /// Who was made the request's consumer in this callback.
    #[must_use]
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Answers the request with this, as `proxy_send_local_response` does.
    pub fn answer(&mut self, response: Response<Body>) {
        self.reply = Some(Box::new(response));
    }

    /// Writes a header field on the answer, in place of all of its name, when the plugin's turn comes on the way
    /// back. Of several of one name the last one counts; but `Set-Cookie` is added beside those that are there, as each
    /// is of a cookie of its own (RFC 6265, section 3). Of one callback 256 are taken, and no more.
    pub fn set_response_header(&mut self, name: HeaderName, value: HeaderValue) {
        let room = self.headers.len() < FIELDS;
        match self.headers.iter_mut().find(|(known, _)| *known == name && name != SET_COOKIE) {
            Some((_, known)) => *known = value,
            None if room => self.headers.push((name, value)),
            None => {}
        }
    }

    /// The same for several: all of them, or none where one is none or they have no room.
    pub(crate) fn set_response_headers(
        &mut self,
        fields: impl Iterator<Item = Result<Field, Status>>,
    ) -> Result<(), Status> {
        let before = self.headers.len();
        if let Err(status) = self.append(fields) {
            self.headers.truncate(before);
            return Err(status);
        }
        // They are written in their order, so that the last one of a name counts; here, too, each has one place.
        if before > 0 {
            let fields = self.headers.split_off(before);
            fields.into_iter().for_each(|(name, value)| self.set_response_header(name, value));
        }
        Ok(())
    }

    fn append(&mut self, fields: impl Iterator<Item = Result<Field, Status>>) -> Result<(), Status> {
        let (least, most) = fields.size_hint();
        self.headers.reserve(most.unwrap_or(least).min(FIELDS));
        for field in fields {
            self.headers.push(field?);
        }
        let bytes = self.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        if self.headers.len() > FIELDS || bytes > BYTES { Err(Status::InternalFailure) } else { Ok(()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.identity.is_none() && self.headers.is_empty()
    }
}

/// Fields of an answer that the functions of one callback may write.
const FIELDS: usize = 256;
/// Bytes of their values.
const BYTES: usize = 256 << 10;

type Field = (HeaderName, HeaderValue);

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::{BYTES, Effects};
    use crate::Status;

    #[test]
    fn fields_of_an_answer_have_a_bound_in_bytes() {
        let (mut effects, name) = (Effects::default(), HeaderName::from_static("x-a"));
        let half = HeaderValue::try_from("a".repeat(BYTES / 2)).unwrap();
        let field = || Ok((name.clone(), half.clone()));
        assert_eq!(effects.set_response_headers([field()].into_iter()), Ok(()));
        let more = [field(), field()].into_iter();
        assert_eq!(effects.set_response_headers(more), Err(Status::InternalFailure), "none of them");
        assert_eq!(effects.headers.len(), 1);
    }

    #[test]
    fn all_fields_of_a_call_are_written_or_none() {
        let mut effects = Effects::default();
        let field = |name: &'static str, value: &'static str| {
            Ok((HeaderName::from_static(name), HeaderValue::from_static(value)))
        };
        let bad = Err(Status::BadArgument);
        let fields = [field("x-a", "1"), bad];
        assert_eq!(effects.set_response_headers(fields.into_iter()), Err(Status::BadArgument));
        assert!(effects.headers.is_empty());
        effects.set_response_headers([field("x-a", "1"), field("x-b", "1")].into_iter()).unwrap();
        effects.set_response_headers([field("x-b", "2"), field("set-cookie", "c")].into_iter()).unwrap();
        let told: Vec<_> =
            effects.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("x-a", &b"1"[..]), ("x-b", b"2"), ("set-cookie", b"c")]);
    }
}
