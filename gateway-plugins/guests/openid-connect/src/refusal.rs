//! What is said to those who are not let in.

use auth::Challenge;
use plugin_sdk::prelude::*;

/// The words of refusals.
#[derive(Debug)]
pub(crate) struct Words {
    challenge: Challenge,
    unauthorized: String,
    forbidden: String,
}

/// Why somebody is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing shows who calls.
    Nobody,
    /// More than one token, or one that is none (RFC 6750, section 3.1: `invalid_request`).
    Request,
    /// The token is not good.
    Token,
    /// It is, but not for this: the scopes that it would take, if it is for them.
    Forbidden(Option<String>),
    /// That cannot be found out now.
    Unavailable,
    /// The gateway is at fault.
    Unexpected,
}

impl Words {
    pub(crate) fn new(realm: Option<&str>, unauthorized: String, forbidden: String) -> Result<Self, String> {
        Ok(Self { challenge: Challenge::new("Bearer", realm)?, unauthorized, forbidden })
    }

    /// The answer, with the challenge of RFC 6750, section 3.
    pub(crate) fn reply(&self, refused: &Refused) -> Reply {
        let (status, message, error) = match refused {
            Refused::Nobody => (401, &self.unauthorized, None),
            Refused::Request => (400, &self.unauthorized, Some("invalid_request")),
            Refused::Token => (401, &self.unauthorized, Some("invalid_token")),
            Refused::Forbidden(_) => (403, &self.forbidden, Some("insufficient_scope")),
            Refused::Unavailable => return unavailable(),
            Refused::Unexpected => return unexpected(Error::Failed),
        };
        let mut asked = self.challenge.value().into_owned();
        if let Some(error) = error {
            asked.push_str(if asked.contains(' ') { ", " } else { " " });
            asked.push_str(&format!("error=\"{error}\""));
        }
        // What is no scope (RFC 6749, section 3.3) is not shown as one.
        let plain =
            |scope: &&String| scope.bytes().all(|it| matches!(it, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
        if let Refused::Forbidden(Some(scope)) = refused
            && plain(&scope)
        {
            asked.push_str(&format!(", scope=\"{scope}\""));
        }
        Reply::refuse(status, message.clone())
            .header("www-authenticate", asked)
            .header("cache-control", "no-store")
    }
}

/// The provider cannot be asked now.
pub(crate) fn unavailable() -> Reply {
    let reply = Reply::refuse(503, "The identity provider cannot be reached");
    reply.header("retry-after", "5").header("cache-control", "no-store")
}

/// What could not be found out. A session that cannot be read is not none: nobody is sent to log in, or stands in.
pub(crate) fn unexpected(error: Error) -> Reply {
    if error != Error::Unavailable {
        return auth::unexpected(error);
    }
    info!("session_storage_unavailable: the server that has the sessions does not answer");
    let reply = Reply::refuse(503, "Sessions cannot be reached");
    reply.header("retry-after", "5").header("cache-control", "no-store")
}

/// A login that comes to nothing.
pub(crate) fn failed(status: u16, message: &'static str) -> Reply {
    Reply::refuse(status, message)
        .header("cache-control", "no-store")
        .header("referrer-policy", "no-referrer")
}

/// A redirect of a browser, by GET, that nobody keeps.
pub(crate) fn redirect(location: impl Into<String>) -> Reply {
    let reply = Reply::new(303).header("location", location.into());
    reply.header("cache-control", "no-store").header("referrer-policy", "no-referrer")
}

#[cfg(test)]
mod tests {
    use super::{Refused, Words};

    #[test]
    fn a_refusal_asks_for_what_is_missing() {
        let words = Words::new(Some("shop"), "Who?".to_owned(), "No".to_owned()).unwrap();
        let plain = Words::new(None, "Who?".to_owned(), "No".to_owned()).unwrap();
        for (words, refused, status, asked) in [
            (&words, Refused::Nobody, 401, "Bearer realm=\"shop\""),
            (&words, Refused::Token, 401, "Bearer realm=\"shop\", error=\"invalid_token\""),
            (&plain, Refused::Request, 400, "Bearer error=\"invalid_request\""),
            (
                &plain,
                Refused::Forbidden(Some("a b".to_owned())),
                403,
                "Bearer error=\"insufficient_scope\", scope=\"a b\"",
            ),
            (&plain, Refused::Forbidden(Some("a\"".to_owned())), 403, "Bearer error=\"insufficient_scope\""),
        ] {
            let reply = words.reply(&refused);
            assert_eq!((reply.status(), reply.headers().next()), (status, Some(("www-authenticate", asked))));
        }
    }
}
