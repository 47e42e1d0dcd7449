//! How much memory compiled regular expressions may take.
//!
//! Without a bound one file could take all there is: the expression of a few bytes may be a program of many
//! megabytes. Compiled is what stays; while it matches, one of more than 16 KiB takes up to as much again as
//! [`REGEX`] in each thread.

/// One expression, in bytes.
pub(crate) const REGEX: usize = 1 << 20;

/// All expressions of one route, in bytes.
pub(crate) const REGEXES_OF_A_ROUTE: usize = 64 << 20;

/// All expressions of all routes, in bytes; equal ones count once.
pub(crate) const REGEXES: usize = 1 << 30;
