//! Header fields that are said once, and written on many answers.

use std::borrow::Cow;

use plugin_contract::response::{Fill, List};

use crate::{Error, call};

pub use plugin_contract::response::Value;

/// Header fields of answers: their names, and the values that are always the same. Make it once, in `configure`; a
/// request says only what differs ([`Request::fill_response_headers`](crate::Request::fill_response_headers)).
///
/// ```no_run
/// # use plugin_sdk::{prelude::*, HeaderList};
/// # fn doc(request: &mut Request) -> Result<(), Error> {
/// let list = HeaderList::new(&[("x-limit", Some("100")), ("x-rest", None)])?;
/// request.fill_response_headers(list, &[99.into()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderList(u32);

impl HeaderList {
    /// A list of 1 to 64 fields.
    ///
    /// # Errors
    /// What is no field, or frames the message, and hosts without such lists.
    pub fn new(fields: &[(&str, Option<&str>)]) -> Result<Self, Error> {
        call::now(&List { fields: fields.to_vec() }, |number| number).map(Self)
    }

    pub(crate) fn fill(self, values: &[Value<'_>]) {
        // It was made by this host; what cannot be written is left out.
        let _ = call::now(&Fill { list: self.0, values: Cow::Borrowed(values) }, |()| ());
    }
}
