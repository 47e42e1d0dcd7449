//! What the answer will carry.

use gateway_core::reply::message_reply;
use http::{HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use plugin_contract::response::{self, Fill, List, Value};
use serde::Deserialize;

use super::{kept::Kept, now, read};
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

/// Fields of a list: those without a value get one with each request.
type Fields = Vec<(HeaderName, Option<HeaderValue>)>;

/// Fields of one list.
const FIELDS: usize = 64;

/// Makes a list, which is read as fields now.
pub(super) fn list(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let List { fields } = read(arguments)?;
    let lists: &Kept<Fields> = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let number = lists.number(arguments, || {
        if !(1..=FIELDS).contains(&fields.len()) {
            return Err(Status::BadArgument);
        }
        let field = |(name, value): &(&str, Option<&str>)| {
            let (name, known) = field(call.names, name.as_bytes(), value.unwrap_or_default().as_bytes())?;
            Ok((name, value.map(|_| known)))
        };
        fields.iter().map(field).collect()
    })?;
    now::<List<'_>>(call, number)
}

/// All fields of a list, or none where one of the values is none.
pub(super) fn fill(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Fill { list, values } = read(arguments)?;
    let effects = call.effects.as_deref_mut().ok_or(Status::BadArgument)?;
    let lists: &Kept<Fields> = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let mut values = values.iter().map(value);
    let fields = lists.get(list).ok_or(Status::BadArgument)?.iter().map(|(name, known)| {
        let value = known.clone().map_or_else(|| values.next().ok_or(Status::BadArgument)?, Ok)?;
        Ok((name.clone(), value))
    });
    effects.set_response_headers(fields)?;
    now::<Fill<'_>>(call, ())
}

fn value(value: &Value<'_>) -> Result<HeaderValue, Status> {
    match value {
        // Its own way from a number to a value takes memory twice.
        Value::Number(number) => {
            HeaderValue::from_str(itoa::Buffer::new().format(*number)).map_err(|_| Status::BadArgument)
        }
        Value::Text(text) => HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Status::BadArgument),
    }
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
fn field(names: &mut Names, name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), Status> {
    let Name { field, frames } = names.get(name)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Status::BadArgument)?;
    if frames { Err(Status::BadArgument) } else { Ok((field, value)) }
}
