//! Calls of the gateway's own functions (`docs/foreign-functions.md`).

use plugin_contract::Call;

use crate::{
    ask::{Begun, begin},
    scene::{self, Answer},
};

pub use crate::ask::{Error, now};

/// Calls a function that may take its time; `read` looks at the answer.
///
/// # Errors
/// Where there is no answer in the end.
pub async fn later<C: Call, R>(call: &C, read: impl FnOnce(C::Answer<'_>) -> R) -> Result<R, Error> {
    let mut read = Some(read);
    let mut look = |bytes: &[u8]| {
        let answer = plugin_contract::decode::<C::Answer<'_>>(bytes).ok_or(Error::Failed)?;
        read.take().map(|read| read(answer)).ok_or(Error::Failed)
    };
    let token = begin(call, |begun| match begun {
        Begun::Answer(bytes) => Ok(Err(look(bytes)?)),
        Begun::Token(token) => Ok(Ok(token)),
    })?;
    match token {
        Err(answer) => Ok(answer),
        Ok(token) => match scene::wait(token).await {
            Answer::Foreign(bytes) => look(&bytes),
            Answer::Called(_) => Err(Error::Failed),
        },
    }
}
