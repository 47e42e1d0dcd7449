//! What is made of a text once, for all that use it at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use foldhash::HashMap;

/// Values in use by the texts that they were made of. It keeps none alive, and forgets those that are gone whenever
/// as many texts came as are in use.
#[derive(Debug)]
pub(super) struct Interned<V> {
    table: Mutex<Option<Table<V>>>,
}

#[derive(Debug)]
struct Table<V> {
    values: HashMap<Box<str>, Weak<V>>,
    /// Looks for those that are gone at this size.
    full: usize,
}

const LEAST: usize = 64;

impl<V> Interned<V> {
    pub(super) const fn new() -> Self {
        Self { table: Mutex::new(None) }
    }

    /// The value of `text`, made by `make` unless it is in use. `make` gives the same for the same text.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(&self, text: &str, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        if let Some(value) = self.with(|table| table.values.get(text).and_then(Weak::upgrade)) {
            return Ok(value);
        }
        // Without the lock, as it may take long. Two at once do the same work, and one of both is kept.
        let value = Arc::new(make()?);
        self.with(|table| table.put(text, &value));
        Ok(value)
    }

    fn with<T>(&self, visit: impl FnOnce(&mut Table<V>) -> T) -> T {
        // No panic leaves the table half changed.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        visit(table.get_or_insert_with(|| Table { values: HashMap::default(), full: LEAST }))
    }
}

impl<V> Table<V> {
    fn put(&mut self, text: &str, value: &Arc<V>) {
        if self.values.len() >= self.full {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.full = (self.values.len() * 2).max(LEAST);
        }
        self.values.insert(text.into(), Arc::downgrade(value));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn get(interned: &Interned<String>, text: &str) -> Arc<String> {
        interned.get(text, || Ok::<_, Infallible>(text.to_owned())).unwrap()
    }

    #[test]
    fn what_is_in_use_is_shared() {
        let interned = Interned::new();
        let first = get(&interned, "a");
        assert!(Arc::ptr_eq(&first, &get(&interned, "a")));
        assert!(!Arc::ptr_eq(&first, &get(&interned, "b")));
        let failed: Result<_, &str> = interned.get("c", || Err("no"));
        assert_eq!(failed, Err("no"));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let interned = Interned::new();
        let kept: Vec<_> = (0..50).map(|number| get(&interned, &format!("kept {number}"))).collect();
        for number in 0..10_000 {
            get(&interned, &number.to_string());
            assert!(interned.with(|table| table.values.len()) <= 2 * kept.len().max(LEAST));
        }
        assert!(kept.iter().all(|value| Arc::ptr_eq(value, &get(&interned, value))));
    }
}
