//! A regular expression, compiled to be kept by the thousand.

use regex_automata::{
    Anchored, Input, PatternID,
    meta::{BuildError, Config, Regex},
    util::captures::Captures,
};
use regex_syntax::hir::{Hir, Look};

use crate::config::regex_limits::REGEX;

/// Up to this size, 1,000 steps or so, backtracking with its bound is quick enough on any path.
const SMALL: usize = 16 << 10;

/// A regular expression over decoded paths, anchored at the start.
///
/// `regex::Regex` brings every engine there is: of the expressions of routes it makes 15 to 64 KB each, and as much
/// again once they matched, in 40 to 115 us. They are used on short texts from a known start, so the small ones do
/// with one engine: 7 KB in 6 to 26 us, and a match of 60 to 190 ns in place of 45 to 115. Large ones get the lazy
/// DFA as well, without which a match could take milliseconds. Time is linear in the path either way.
#[derive(Clone, Debug)]
pub(super) struct PathRegex(Regex);

impl PathRegex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// It is larger than [`REGEX`].
    pub(super) fn new(pattern: Hir) -> Result<Self, String> {
        let anchored = Hir::concat(vec![Hir::look(Look::Start), pattern]);
        let build = |limit: usize, hybrid: bool| {
            let config = Config::new()
                .nfa_size_limit(Some(limit))
                .hybrid(hybrid)
                .hybrid_cache_capacity(limit)
                .onepass(false)
                .dfa(false)
                .auto_prefilter(false);
            Regex::builder().configure(config).build_from_hir(&anchored).map_err(|error| refused(&error))
        };
        build(SMALL, false).or_else(|_| build(REGEX, true)).map(Self)
    }

    /// Where it ends in `text`.
    pub(super) fn end(&self, text: &str) -> Option<usize> {
        self.0.search_half(&Self::input(text)).map(|end| end.offset())
    }

    /// What its groups take of `text`.
    pub(super) fn captures(&self, text: &str) -> Option<Captures> {
        let mut groups = self.0.create_captures();
        self.0.search_captures(&Self::input(text), &mut groups);
        groups.is_match().then_some(groups)
    }

    /// How many bytes it takes, compiled.
    pub(super) fn memory(&self) -> usize {
        self.0.memory_usage()
    }

    /// The names of its groups, that of the whole first.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.group_info().pattern_names(PatternID::ZERO)
    }

    fn input(text: &str) -> Input<'_> {
        Input::new(text).anchored(Anchored::Yes)
    }
}

/// Why an expression is not compiled, in the words of the crate `regex`.
pub(super) fn refused(error: &BuildError) -> String {
    match (error.size_limit(), error.syntax_error()) {
        (Some(limit), _) => format!("Compiled regex exceeds size limit of {limit} bytes."),
        (_, Some(error)) => error.to_string(),
        _ => error.to_string(),
    }
}
