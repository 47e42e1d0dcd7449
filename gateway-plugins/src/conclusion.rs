//! What comes of a guest's will for the exchange.

use std::error::Error;

use gateway_core::{
    Reason,
    plugin::{Exchange, Flow},
    reply::{Refusal, message_reply},
};
use http::{HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};

use crate::entry::{Head, Verdict};

/// What becomes of a message that is held no longer.
pub(crate) fn done<M>(verdict: Verdict, exchange: &mut Exchange) -> Flow<M> {
    match verdict {
        Verdict::Continue | Verdict::Skip | Verdict::Pause => Flow::Continue,
        Verdict::Reply(response) => Flow::Reply(response),
        Verdict::Close => refuse(StatusCode::SERVICE_UNAVAILABLE, exchange),
    }
}

/// Room for what the gateway adds behind them: a map that grows hashes all its names once more.
const BEHIND: usize = 6;

/// Writes fields, each in place of all of its name.
pub(crate) fn write(message: &mut impl Head, fields: Vec<(HeaderName, HeaderValue)>) {
    if fields.is_empty() {
        return;
    }
    let headers = message.headers_mut();
    // In one step. Where it is too much the field that is too many finds that out.
    let _ = headers.try_reserve(fields.len() + BEHIND);
    for (name, value) in fields {
        match name {
            SET_COOKIE => drop(headers.append(name, value)),
            _ => drop(headers.insert(name, value)),
        }
    }
}

/// Answers in place of a plugin that cannot.
pub(crate) fn refuse<M>(status: StatusCode, exchange: &mut Exchange) -> Flow<M> {
    exchange.reason = Some(Reason::Plugin);
    Flow::reply(message_reply(status, "An unexpected error occurred", exchange.asked, exchange.request_id))
}

/// A body is longer than may be held.
pub(crate) fn too_large<M>(exchange: &mut Exchange) -> Flow<M> {
    let (reason, status) = (Reason::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE);
    answer(&Refusal { reason, status, message: "Payload Too Large".into() }, exchange)
}

/// A body cannot be read to its end: another plugin has refused it, or the client broke it off.
pub(crate) fn unreadable<M>(error: &(dyn Error + 'static), exchange: &mut Exchange) -> Flow<M> {
    let (reason, status) = (Reason::BadRequestBody, StatusCode::BAD_REQUEST);
    let broken = || Refusal { reason, status, message: "Bad request".into() };
    answer(&Refusal::find(error).cloned().unwrap_or_else(broken), exchange)
}

fn answer<M>(refusal: &Refusal, exchange: &mut Exchange) -> Flow<M> {
    exchange.reason = Some(refusal.reason);
    Flow::reply(message_reply(refusal.status, &refusal.message, exchange.asked, exchange.request_id))
}
