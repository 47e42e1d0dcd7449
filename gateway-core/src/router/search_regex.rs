//! A regular expression that is found anywhere in a text.

use std::sync::Arc;

use regex_automata::{
    Match, PatternID,
    meta::{Config, Regex},
    util::{captures::Captures, syntax},
};

use super::{interned::Interned, path_regex::refused};
use crate::config::regex_limits;

/// A regular expression over header values, parameters of a query, and what expressions ask for. What is equal is
/// compiled once in the process.
#[derive(Debug)]
pub(super) struct SearchRegex {
    text: Box<str>,
    regex: Regex,
}

/// Those of all routers, over text and over bytes.
static OVER_TEXT: Interned<SearchRegex> = Interned::new();
static OVER_BYTES: Interned<SearchRegex> = Interned::new();

impl SearchRegex {
    /// Compiles `pattern` for texts.
    ///
    /// # Errors
    /// It does not parse, or is larger than [`regex_limits::REGEX`].
    pub(super) fn over_text(pattern: &str) -> Result<Arc<Self>, String> {
        OVER_TEXT.get(pattern, || Self::compile(pattern, true))
    }

    /// Compiles `pattern` for values that may be any bytes.
    ///
    /// # Errors
    /// As [`over_text`](Self::over_text).
    pub(super) fn over_bytes(pattern: &str) -> Result<Arc<Self>, String> {
        OVER_BYTES.get(pattern, || Self::compile(pattern, false))
    }

    fn compile(pattern: &str, utf8: bool) -> Result<Self, String> {
        let limit = regex_limits::REGEX;
        let config = Config::new().nfa_size_limit(Some(limit)).hybrid_cache_capacity(limit).utf8_empty(utf8);
        let syntax = syntax::Config::new().utf8(utf8);
        let regex = Regex::builder().configure(config).syntax(syntax).build(pattern);
        Ok(Self { text: pattern.into(), regex: regex.map_err(|error| refused(&error))? })
    }

    pub(super) fn is_match(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }

    /// The first match in `text`.
    pub(super) fn find(&self, text: &str) -> Option<Match> {
        self.regex.find(text)
    }

    /// What the groups of the first match take of `text`.
    pub(super) fn captures(&self, text: &str) -> Option<Captures> {
        let mut groups = self.regex.create_captures();
        self.regex.captures(text, &mut groups);
        groups.is_match().then_some(groups)
    }

    /// The names of its groups, that of the whole first.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.group_info().pattern_names(PatternID::ZERO)
    }

    /// As it is written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// How many bytes it takes, compiled.
    pub(super) fn memory(&self) -> usize {
        self.regex.memory_usage()
    }
}
