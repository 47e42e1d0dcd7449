//! Credentials that count for a time: pure, time comes in.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

/// Credentials that do not count any more from a time on, in the order of these times, which are Unix seconds.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    ends: HashMap<Uuid, u64>,
    order: BTreeSet<(u64, Uuid)>,
}

impl Terms {
    /// A credential that is there, as it is now: when its time is over, if ever.
    pub(crate) fn keep(&mut self, credential: Uuid, end: Option<u64>) {
        self.forget(&credential);
        if let Some(end) = end {
            self.ends.insert(credential, end);
            self.order.insert((end, credential));
        }
    }

    /// A credential that is not there any more.
    pub(crate) fn forget(&mut self, credential: &Uuid) {
        if let Some(end) = self.ends.remove(credential) {
            self.order.remove(&(end, *credential));
        }
    }

    /// When the first one is over.
    pub(crate) fn next(&self) -> Option<u64> {
        self.order.first().map(|(end, _)| *end)
    }

    /// Those whose time is over.
    pub(crate) fn over(&self, now: u64) -> Vec<Uuid> {
        self.order.iter().take_while(|(end, _)| *end <= now).map(|(_, credential)| *credential).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Terms;

    #[test]
    fn what_is_over_is_told_in_order_and_forgotten_once() {
        let [a, b] = [1, 2].map(Uuid::from_u128);
        let mut terms = Terms::default();
        terms.keep(a, Some(20));
        terms.keep(b, Some(10));
        assert_eq!((terms.next(), terms.over(9)), (Some(10), Vec::new()));
        assert_eq!((terms.over(10), terms.over(20)), (vec![b], vec![b, a]));
        terms.keep(b, Some(30));
        assert_eq!((terms.next(), terms.over(29)), (Some(20), vec![a]), "another time takes its place");
        terms.keep(a, None);
        terms.forget(&b);
        assert_eq!((terms.next(), terms.over(u64::MAX)), (None, Vec::new()));
    }
}
