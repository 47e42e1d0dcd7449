//! What texts have come to before: tokens and cookies come again and again.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

/// What texts have come to, by their ends, which are signatures and tags: no two have the same. A text is only known
/// where all of it is the same.
#[derive(Debug)]
pub(crate) struct Known<T: ?Sized>(RefCell<Held<T>>);

#[derive(Debug)]
struct Held<T: ?Sized> {
    by_end: HashMap<End, (Box<str>, Rc<T>)>,
    /// Of all texts.
    bytes: usize,
}

type End = [u8; 16];

/// Bytes of texts that are known here, and in all of an instance; what they have come to takes about as much.
const MOST: usize = 512 << 10;
const MOST_OF_ALL: usize = 2 << 20;

thread_local! {
    /// Bytes of all texts of this instance.
    static ALL: Cell<usize> = const { Cell::new(0) };
}

impl<T: ?Sized> Known<T> {
    pub(crate) fn get(&self, text: &str) -> Option<Rc<T>> {
        let held = self.0.borrow();
        let (own, known) = held.by_end.get(&end(text)?)?;
        (**own == *text).then(|| Rc::clone(known))
    }

    pub(crate) fn put(&self, text: &str, known: &Rc<T>) {
        let (Some(end), mut held) = (end(text), self.0.borrow_mut()) else { return };
        if held.bytes + text.len() > MOST {
            held.clear();
        }
        // What is known under other configurations is in the way: it goes with them.
        if ALL.get() + text.len() > MOST_OF_ALL {
            return;
        }
        let before = held.by_end.insert(end, (text.into(), Rc::clone(known)));
        let freed = before.map_or(0, |(text, _)| text.len());
        held.bytes = held.bytes + text.len() - freed;
        ALL.set(ALL.get() + text.len() - freed);
    }
}

impl<T: ?Sized> Held<T> {
    fn clear(&mut self) {
        self.by_end.clear();
        ALL.set(ALL.get() - self.bytes);
        self.bytes = 0;
    }
}

impl<T: ?Sized> Drop for Held<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T: ?Sized> Default for Known<T> {
    fn default() -> Self {
        Self(RefCell::new(Held { by_end: HashMap::new(), bytes: 0 }))
    }
}

fn end(text: &str) -> Option<End> {
    text.as_bytes().last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Known, MOST};

    #[test]
    fn a_text_is_known_where_all_of_it_is_the_same() {
        let known = Known::<str>::default();
        known.put("head.0123456789abcdef", &"one".into());
        known.put("short", &"none".into());
        let get = |text| known.get(text).map(|known| known.to_string());
        assert_eq!(get("head.0123456789abcdef").as_deref(), Some("one"));
        for text in ["Head.0123456789abcdef", "0123456789abcdef", "head.0123456789abcdeg", "short", ""] {
            assert_eq!(get(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let known = Known::<u32>::default();
        for number in 0..2_000 {
            known.put(&format!("{}{number:016}", "x".repeat(1_000)), &Rc::new(number));
            assert!(known.0.borrow().bytes <= MOST);
        }
        let held = known.0.borrow();
        assert_eq!(held.bytes, held.by_end.values().map(|(text, _)| text.len()).sum::<usize>());
        assert!(!held.by_end.is_empty());
        drop(held);
        drop(known);
        assert_eq!(super::ALL.get(), 0);
    }
}
