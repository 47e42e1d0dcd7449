//! A place in the guest's memory that the host knows: what goes through it needs no call back into the guest.
//!
//! A guest may export a global of the name [`NAME`] with the address of a [`Mailbox`]; a static under that name is one.
//! A host that knows of it
//!
//! - writes the root of the running callback into [`root`](Mailbox::root) before it enters a request's callback, and
//!   then does not tell of the contexts of requests: neither `proxy_on_context_create` nor `proxy_on_done`, and their
//!   end by `proxy_on_delete` only where the guest has said [`KEEPS`] in a callback of theirs;
//! - does not show the body of a message whose head the guest let go with [`SKIPS`];
//! - lays values of at most [`ROOM`] bytes into [`bytes`](Mailbox::bytes), and gives that address, where it would
//!   otherwise have the guest allocate memory. The next host call may overwrite them;
//! - says in [`values`](Mailbox::values), with the first value of a header field, whether there are others.
//!
//! Other hosts do neither, and the same module works with them.

/// The export's name.
pub const NAME: &str = "gateway_mailbox";

/// Bytes for a value.
pub const ROOM: usize = 1024;

/// The guest keeps something for the request, and wants to be told of its end.
pub const KEEPS: u32 = 1;

/// The guest does not look at the body of the message whose head is in hand, though it has a callback for bodies.
pub const SKIPS: u32 = 2;

/// What lies there. Numbers are little-endian.
#[derive(Debug)]
#[repr(C)]
pub struct Mailbox {
    /// The root context of the running callback; 0 where the host does not say.
    pub root: u32,
    /// [`KEEPS`] and [`SKIPS`], where the guest says them. The host looks at it after each callback of a request, and
    /// sets it to 0 before.
    pub says: u32,
    /// Room for a value.
    pub bytes: [u8; ROOM],
    /// How many values the field has whose first one was asked for last: 1, or 2 where there are two or more. Hosts
    /// that do not say leave it as it is.
    pub values: u32,
}
