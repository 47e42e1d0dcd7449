//! What the answer will carry, and refusals in the gateway's own form.

use gateway_core::reply::message_reply;
use http::{HeaderName, HeaderValue, StatusCode};
use plugin_contract::response;

use crate::{Call, Function, Reply, Status, fields::frames, plugin::Builder};

pub(super) fn serve(builder: Builder) -> Builder {
    builder.serve(Headers).serve(Refuse)
}

struct Headers;

impl Function for Headers {
    type Arguments<'a> = response::Headers<'a>;

    /// All fields, or none where one of them is none.
    fn call<'a>(
        &'a self,
        response::Headers { set }: response::Headers<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<()>, Status> {
        let effects = call.effects.as_deref_mut().ok_or(Status::BadArgument)?;
        let fields = set.into_iter().map(|(name, value)| field(name, value)).collect::<Option<Vec<_>>>();
        for (name, value) in fields.ok_or(Status::BadArgument)? {
            effects.set_response_header(name, value);
        }
        Ok(Reply::Now(()))
    }
}

struct Refuse;

impl Function for Refuse {
    type Arguments<'a> = response::Refuse<'a>;

    fn call<'a>(
        &'a self,
        response::Refuse { status, message, headers }: response::Refuse<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<()>, Status> {
        let bad = Status::BadArgument;
        let (effects, exchange) = (call.effects.as_deref_mut().ok_or(bad)?, call.exchange.ok_or(bad)?);
        let status = StatusCode::from_u16(status).ok().filter(|it| (400..600).contains(&it.as_u16()));
        let mut reply = message_reply(status.ok_or(bad)?, message, exchange.asked, exchange.request_id);
        for (name, value) in headers {
            let (name, value) = field(name, value).ok_or(bad)?;
            reply.headers_mut().try_append(name, value).map_err(|_| bad)?;
        }
        effects.answer(reply);
        Ok(Reply::Now(()))
    }
}

/// A field of the message, not of its framing.
fn field(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !frames(name))?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}
