//! What kind of paths a rule has.

/// What the paths of a rule add to its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::router) enum PathKind {
    None,
    /// Prefixes of this many bytes, decoded as Kong stores them.
    Prefix(usize),
    Regex,
    /// Templates with this much text, decoded.
    Template(usize),
    /// Whole paths (flavour `gateway_api`).
    Exact,
}
