//! What the answer will carry.

use gateway_core::reply::message_reply;
use http::{HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use plugin_contract::response;
use serde::Deserialize;

use super::{now, read};
use crate::{
    Call, Function, Reply, Returned, Status,
    names::{Name, Names},
};

/// [`response::Headers`], whose texts are looked at as names and values, not as texts before.
#[derive(Deserialize)]
struct Headers<'a> {
    #[serde(borrow)]
    set: Vec<(&'a [u8], &'a [u8])>,
}

/// All fields, or none where one of them is none. It is called for every request of some plugins.
pub(super) fn headers(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Headers { set } = read(arguments)?;
    let effects = call.effects.as_deref_mut().ok_or(Status::BadArgument)?;
    effects.set_response_headers(set.into_iter().map(|(name, value)| field(call.names, name, value)))?;
    now::<response::Headers<'_>>(call, ())
}

/// Fields of a refusal.
const REFUSAL: usize = 256;

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
        if headers.len() > REFUSAL {
            return Err(bad);
        }
        let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 400).ok_or(bad)?;
        let fields =
            headers.into_iter().map(|(name, value)| field(call.names, name.as_bytes(), value.as_bytes()));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let mut reply = message_reply(status, message, exchange.asked, exchange.request_id);
        for (name, value) in fields {
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
pub(super) fn field(
    names: &mut Names,
    name: &[u8],
    value: &[u8],
) -> Result<(HeaderName, HeaderValue), Status> {
    let Name { field, frames } = names.get(name)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Status::BadArgument)?;
    if frames { Err(Status::BadArgument) } else { Ok((field, value)) }
}
