//! A request as guards see it, and what a rule takes of it.

use std::{borrow::Cow, cell::OnceCell};

use regex::Regex;

use super::{
    Head,
    captures::PathPattern,
    path::{decoded, wire_length},
    pattern::match_end,
};

/// A request with its decoded path, made when it is first asked for.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head<'a>,
    decoded: OnceCell<Cow<'a, str>>,
}

/// What a rule took of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken<'g> {
    /// How many bytes of the path.
    pub(super) matched: usize,
    /// The regular expression or template that did.
    pub(super) pattern: Option<PathPattern<'g>>,
}

impl<'a> Request<'a> {
    pub(super) const fn new(head: &'a Head<'a>) -> Self {
        Self { head, decoded: OnceCell::new() }
    }

    /// The decoded path.
    pub(super) fn path(&self) -> &str {
        self.decoded.get_or_init(|| decoded(self.head.path))
    }

    /// Where `regex` ends in the path on the wire.
    pub(super) fn end(&self, regex: &Regex) -> Option<usize> {
        match_end(regex, self.head.path, self.path())
    }

    /// How many bytes of the path on the wire its first `length` decoded bytes take.
    pub(super) fn wire_length(&self, length: usize) -> usize {
        let path = self.head.path;
        if path.len() == self.path().len() { length } else { wire_length(path, length) }
    }
}
