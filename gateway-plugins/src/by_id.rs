//! Maps by the numbers that guests have for things.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map by context, token and the like.
pub(crate) type ById<T> = HashMap<u32, T, RandomState>;
