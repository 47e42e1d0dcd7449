//! A request as guards see it, and what a rule takes of it.

use std::cell::OnceCell;

use super::{
    Head,
    captures::PathPattern,
    path::{Octets, decoded_octets, wire_length},
};

/// A request with its decoded path, made when it is first asked for.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head<'a>,
    octets: OnceCell<Option<Octets>>,
}

/// What a rule took of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken<'g> {
    /// How many bytes of the path.
    pub(super) matched: usize,
    /// The expression or template that did.
    pub(super) pattern: Option<PathPattern<'g>>,
}

impl<'a> Request<'a> {
    pub(super) const fn new(head: &'a Head<'a>) -> Self {
        Self { head, octets: OnceCell::new() }
    }

    /// The decoded path; the path itself where the octets are not UTF-8.
    pub(super) fn path(&self) -> &str {
        let octets = self.octets.get_or_init(|| decoded_octets(self.head.path));
        octets.as_ref().and_then(|octets| std::str::from_utf8(octets).ok()).unwrap_or(self.head.path)
    }

    /// How many bytes of the path on the wire its first `length` decoded bytes take.
    pub(super) fn wire_length(&self, length: usize) -> usize {
        let path = self.head.path;
        if path.len() == self.path().len() { length } else { wire_length(path, length) }
    }
}
