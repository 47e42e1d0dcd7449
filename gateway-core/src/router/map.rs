//! A hash map of which a clone shares all, and a change copies one path.

use foldhash::fast::RandomState;
use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};

/// Measured at 50,000 keys: a look-up takes 19 ns where `std`'s takes 5, a change 1 us where a copy takes 500.
pub(super) type Map<K, V> = GenericHashMap<K, V, RandomState, DefaultSharedPtr>;
