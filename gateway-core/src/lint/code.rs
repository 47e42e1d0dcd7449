//! What findings are known by.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Most likely not what is meant.
    Warning,
    /// It is refused.
    Error,
}

/// What a finding is known by: its number never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// No request reaches a route: another one takes them all.
    UnreachableRoute,
    /// No request reaches a route by one of its paths.
    UnreachablePath,
    /// Some requests would go to either of two routes, and only the ids decide (compat D22).
    AmbiguousRoutes,
    /// Kong's manual puts two routes in the other order than Kong does (compat D21).
    OrderDiffersFromManual,
    /// A `regex_priority` that Kong counts otherwise (compat D23).
    RegexPriorityWraps,
    /// `path_handling: v1` in a flavour that does not look at it (compat P38).
    PathHandlingWithoutEffect,
    /// A header name with a dash to hash on, which Kong never finds (compat P47, D23).
    HashOnHeaderWithDash,
    /// A path with a brace that would be a template, were templates switched on.
    BracesAreText,
    /// A tag that would say something to this gateway, were its value another.
    TagSaysNothing,
    /// An expression of PCRE's that is refused (compat R6).
    PcreOnlyRegex,
    /// An expression that PCRE reads otherwise.
    RegexReadsOtherwise,
    /// A dot that stands for any character where a dot is meant.
    UnescapedDot,
    /// An expression that says no more than a prefix, but ranks above all of them (compat R2).
    RegexWithoutNeed,
    /// An expression without an end, which takes longer paths too (compat R1).
    OpenEndedRegex,
    /// A class or an anchor that PCRE takes to be a little narrower or wider.
    RegexClassDiffers,
    /// A plugin that sends elsewhere what it sends to the route's own service.
    SendsToItself,
    /// Targets with a `ttl`, which count over a store alone.
    TtlNeedsStore,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::UnreachableRoute,
        Self::UnreachablePath,
        Self::AmbiguousRoutes,
        Self::OrderDiffersFromManual,
        Self::RegexPriorityWraps,
        Self::PathHandlingWithoutEffect,
        Self::HashOnHeaderWithDash,
        Self::BracesAreText,
        Self::TagSaysNothing,
        Self::PcreOnlyRegex,
        Self::RegexReadsOtherwise,
        Self::UnescapedDot,
        Self::RegexWithoutNeed,
        Self::OpenEndedRegex,
        Self::RegexClassDiffers,
        Self::SendsToItself,
        Self::TtlNeedsStore,
    ];

    const fn row(self) -> (&'static str, &'static str, Severity) {
        use Severity::{Error, Note, Warning};
        match self {
            Self::UnreachableRoute => ("L001", "unreachable-route", Warning),
            Self::UnreachablePath => ("L002", "unreachable-path", Warning),
            Self::AmbiguousRoutes => ("L003", "ambiguous-routes", Warning),
            Self::OrderDiffersFromManual => ("L004", "order-differs-from-manual", Note),
            Self::RegexPriorityWraps => ("L005", "regex-priority-wraps", Warning),
            Self::PathHandlingWithoutEffect => ("L006", "path-handling-without-effect", Warning),
            Self::HashOnHeaderWithDash => ("L007", "hash-on-header-with-dash", Note),
            Self::BracesAreText => ("L008", "braces-are-text", Note),
            Self::TagSaysNothing => ("L009", "tag-says-nothing", Warning),
            Self::PcreOnlyRegex => ("L010", "pcre-only-regex", Error),
            Self::RegexReadsOtherwise => ("L011", "regex-reads-otherwise", Warning),
            Self::UnescapedDot => ("L012", "unescaped-dot", Warning),
            Self::RegexWithoutNeed => ("L013", "regex-without-need", Warning),
            Self::OpenEndedRegex => ("L014", "open-ended-regex", Note),
            Self::RegexClassDiffers => ("L015", "regex-class-differs", Note),
            Self::SendsToItself => ("L016", "sends-to-itself", Warning),
            Self::TtlNeedsStore => ("L017", "ttl-needs-store", Note),
        }
    }

    /// Its number: `L001`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Its name: `unreachable-route`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.row().2
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
