//! What plugins and the gateway say to each other beyond Proxy-Wasm.
//!
//! A [`Call`] goes through `proxy_call_foreign_function` under its [`NAME`](Call::NAME). Its arguments are the type
//! itself, its answer is [`Answer`](Call::Answer), both in [postcard's wire format]: fields in the order of the
//! declaration without names; `u8` and `bool` one byte, other numbers varints (signed ones zigzag); texts and byte
//! strings their length and their bytes; options one byte 0 or 1 and the value; enums the number of the variant and
//! its fields. `docs/foreign-functions.md` shows each call with its bytes.
//!
//! What a call returns begins with a byte, [`NOW`] or [`LATER`]:
//!
//! | byte | what follows |
//! |---|---|
//! | 0 | the answer |
//! | 1 | a token, 32 bits and little-endian: `proxy_on_foreign_function` brings the answer under that number, without such a byte, while the request is held |
//!
//! Fields and variants are only ever added at the end, under a new name of the function: a name stands for its bytes.
//!
//! ```
//! use plugin_contract::{Call, consumer::{Authenticate, Kind, Who}};
//!
//! let call = Authenticate { who: Who::Key { kind: Kind::Key, key: "abc" } };
//! let bytes = plugin_contract::encode(&call, Vec::new()).unwrap();
//! assert_eq!(bytes, [0, 0, 3, b'a', b'b', b'c']);
//! assert_eq!(plugin_contract::decode::<Authenticate<'_>>(&bytes), Some(call));
//! assert_eq!(Authenticate::NAME, "gateway.consumer.authenticate");
//! ```
//!
//! [postcard's wire format]: https://postcard.jamesmunns.com/wire-format

pub mod consumer;
pub mod counter;
pub mod crypto;
pub mod jwt;
pub mod kv;
pub mod mailbox;
pub mod ratelimit;
pub mod request;
pub mod response;
pub mod secret;
pub mod time;
pub mod var;

use serde::{Deserialize, Serialize};

/// Before an answer.
pub const NOW: u8 = 0;
/// Before the token of an answer that comes later.
pub const LATER: u8 = 1;

/// A function of the gateway, with its arguments.
pub trait Call: Serialize {
    /// Its name.
    const NAME: &'static str;
    /// What comes back; it may point into the bytes it was read from.
    type Answer<'a>: Serialize + Deserialize<'a>;
}

/// Writes arguments or an answer behind what `buffer` holds.
///
/// # Errors
/// None that are known of: what cannot be written is not part of the contract.
pub fn encode(value: &impl Serialize, buffer: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(value, buffer)
}

/// Reads arguments or an answer; nothing where the bytes are not exactly that.
#[must_use]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

/// An entity's id: the 16 bytes of a UUID.
pub type Id = [u8; 16];
