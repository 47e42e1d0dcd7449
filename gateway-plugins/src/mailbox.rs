//! A place in the guest's memory that the host knows ([`plugin_contract::mailbox`]).

use std::mem::offset_of;

use plugin_contract::mailbox::{KEEPS, Mailbox as Layout, ROOM, SKIPS};
use wasmtime::{Memory, Store};

use crate::memory::put_u32;

/// The address of a guest's mailbox, whole and within its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mailbox(u32);

/// What a guest says in its mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Says(u32);

impl Says {
    pub(crate) const fn anything(self) -> bool {
        self.0 != 0
    }

    /// It keeps something for the request.
    pub(crate) const fn keeps(self) -> bool {
        self.0 & KEEPS != 0
    }

    /// It does not look at the body of the message in hand.
    pub(crate) const fn skips(self) -> bool {
        self.0 & SKIPS != 0
    }
}

impl Mailbox {
    /// The mailbox at `address`; none where not all of it is in `memory`.
    pub(crate) fn at(address: u32, memory: &[u8]) -> Option<Self> {
        let start = usize::try_from(address).ok()?;
        memory.get(start..start.checked_add(size_of::<Layout>())?)?;
        Some(Self(address))
    }

    /// A callback of a request under `root` is about to run.
    pub(crate) fn announce<H: 'static>(self, memory: Memory, store: &mut Store<H>, root: u32) {
        let memory = memory.data_mut(store);
        // Memory only grows: what was within it still is.
        let _ = put_u32(memory, self.field(offset_of!(Layout, root)), root);
        let _ = put_u32(memory, self.field(offset_of!(Layout, says)), 0);
    }

    /// What the guest says of the request whose callback has run.
    pub(crate) fn says<H: 'static>(self, memory: Memory, store: &Store<H>) -> Says {
        let at = usize::try_from(self.field(offset_of!(Layout, says))).unwrap_or(usize::MAX);
        Says(memory.data(store).get(at).copied().unwrap_or_default().into())
    }

    /// Says how many values a field has.
    pub(crate) fn count(self, memory: &mut [u8], values: u32) {
        let _ = put_u32(memory, self.field(offset_of!(Layout, values)), values);
    }

    /// Where a value of this length can lie.
    pub(crate) fn room(self, length: usize) -> Option<u32> {
        (length <= ROOM).then(|| self.field(offset_of!(Layout, bytes)))
    }

    fn field(self, offset: usize) -> u32 {
        self.0.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
    }
}
