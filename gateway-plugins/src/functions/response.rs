//! What the answer will carry.

use gateway_core::reply::message_reply;
use http::{HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use plugin_contract::response;
use smallvec::SmallVec;

use crate::{Call, Function, Reply, Status, fields::frames};

pub(super) struct Headers;

impl Function for Headers {
    type Arguments<'a> = response::Headers<'a>;

    /// All fields, or none where one of them is none.
    fn call<'a>(
        &'a self,
        response::Headers { set }: response::Headers<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<()>, Status> {
        let effects = call.effects.as_deref_mut().ok_or(Status::BadArgument)?;
        let fields: Option<SmallVec<[_; 4]>> =
            set.into_iter().map(|(name, value)| field(name, value)).collect();
        for (name, value) in fields.ok_or(Status::BadArgument)? {
            effects.set_response_header(name, value);
        }
        Ok(Reply::Now(()))
    }
}

pub(super) struct Refuse;

impl Function for Refuse {
    type Arguments<'a> = response::Refuse<'a>;

    fn call<'a>(
        &'a self,
        response::Refuse { status, message, headers }: response::Refuse<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<()>, Status> {
        let bad = Status::BadArgument;
        let (exchange, effects) = call.exchange.zip(call.effects.as_deref_mut()).ok_or(bad)?;
        let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 400).ok_or(bad)?;
        let fields = headers.into_iter().map(|(name, value)| field(name, value)).collect::<Option<Vec<_>>>();
        let mut reply = message_reply(status, message, exchange.asked, exchange.request_id);
        for (name, value) in fields.ok_or(bad)? {
            match name {
                SET_COOKIE => drop(reply.headers_mut().append(name, value)),
                _ => drop(reply.headers_mut().insert(name, value)),
            }
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
