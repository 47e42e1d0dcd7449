//! Shared queues, by the name of the plugin that made them and their own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::abi::Status;

/// Queues of one engine.
const MOST_QUEUES: usize = 1_024;
/// Queues of one plugin: none takes them all.
const MOST_OF_PLUGIN: usize = 16;
/// Items of one queue.
const MOST_ITEMS: usize = 1_024;
/// Bytes of all items of one queue.
const MOST_BYTES: usize = 1 << 20;

/// What a guest calls a queue by, from 1.
pub(crate) type QueueId = u32;

/// All queues of an engine. `L` is who is told that something came in.
///
/// A lock, because an item goes in and out in order; it is held for one item.
#[derive(Debug)]
pub(crate) struct Queues<L>(Mutex<Table<L>>);

#[derive(Debug)]
struct Table<L> {
    ids: HashMap<(String, Vec<u8>), QueueId>,
    queues: Vec<Queue<L>>,
}

#[derive(Debug)]
struct Queue<L> {
    items: VecDeque<Bytes>,
    bytes: usize,
    /// The root that registered it last: as in proxy-wasm-cpp-host, it is the one that is told.
    listener: Option<L>,
    /// How often it is still to be told: once for each item.
    owed: usize,
    /// Somebody is about to tell it.
    telling: bool,
}

impl<L> Default for Queues<L> {
    fn default() -> Self {
        Self(Mutex::new(Table { ids: HashMap::new(), queues: Vec::new() }))
    }
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, listener: None, owed: 0, telling: false }
    }
}

impl<L: Clone> Queues<L> {
    /// The queue `name` of `plugin`, made where there is none; `listener` is told from now on.
    pub(crate) fn register(&self, plugin: &str, name: &[u8], listener: Option<L>) -> Result<QueueId, Status> {
        let mut table = self.table();
        let key = (plugin.to_owned(), name.to_vec());
        let known = table.ids.get(&key).copied();
        let id = match known {
            Some(id) => id,
            None => {
                let id = u32::try_from(table.queues.len() + 1).map_err(|_| Status::InternalFailure)?;
                let own = table.ids.keys().filter(|(owner, _)| owner == plugin).count();
                if table.queues.len() == MOST_QUEUES || own == MOST_OF_PLUGIN {
                    return Err(Status::InternalFailure);
                }
                table.queues.push(Queue::default());
                table.ids.insert(key, id);
                id
            }
        };
        if let (Some(queue), Some(listener)) = (table.queue(id), listener) {
            queue.listener = Some(listener);
        }
        Ok(id)
    }

    /// The queue `name` of `plugin`.
    pub(crate) fn resolve(&self, plugin: &str, name: &[u8]) -> Option<QueueId> {
        self.table().ids.get(&(plugin.to_owned(), name.to_vec())).copied()
    }

    /// Puts `item` in; whether somebody has to begin to tell who listens.
    pub(crate) fn enqueue(&self, id: QueueId, item: Bytes) -> Result<bool, Status> {
        let mut table = self.table();
        let queue = table.queue(id).ok_or(Status::NotFound)?;
        if queue.items.len() == MOST_ITEMS || queue.bytes + item.len() > MOST_BYTES {
            return Err(Status::InternalFailure);
        }
        queue.bytes += item.len();
        queue.items.push_back(item);
        let listens = queue.listener.is_some();
        queue.owed += usize::from(listens);
        Ok(listens && !std::mem::replace(&mut queue.telling, true))
    }

    /// Who is to be told next; none where there is nothing more to tell of, and telling has ended.
    pub(crate) fn next(&self, id: QueueId) -> Option<L> {
        let mut table = self.table();
        let queue = table.queue(id)?;
        if queue.items.is_empty() {
            queue.owed = 0;
        }
        // Under the same lock, so that no item falls between the last look and the end of telling.
        queue.telling = queue.owed > 0;
        queue.owed = queue.owed.checked_sub(1)?;
        queue.listener.clone()
    }

    /// Telling ended before its time; who puts the next item in begins again.
    pub(crate) fn told(&self, id: QueueId) {
        if let Some(queue) = self.table().queue(id) {
            queue.telling = false;
        }
    }

    /// Takes the oldest item out.
    pub(crate) fn dequeue(&self, id: QueueId) -> Result<Bytes, Status> {
        let mut table = self.table();
        let queue = table.queue(id).ok_or(Status::NotFound)?;
        let item = queue.items.pop_front().ok_or(Status::Empty)?;
        queue.bytes -= item.len();
        Ok(item)
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Table<L> {
    fn queue(&mut self, id: QueueId) -> Option<&mut Queue<L>> {
        let index = usize::try_from(id).ok()?.checked_sub(1)?;
        self.queues.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_ITEMS, MOST_OF_PLUGIN, Queues};
    use crate::abi::Status;

    #[test]
    fn items_leave_in_the_order_they_came_and_the_last_who_registered_is_told() {
        let queues = Queues::default();
        let id = queues.register("a", b"jobs", Some("first")).unwrap();
        assert_eq!(queues.register("a", b"jobs", Some("second")), Ok(id));
        assert_ne!(queues.register("b", b"jobs", None), Ok(id));
        assert_eq!(queues.resolve("a", b"jobs"), Some(id));
        assert_eq!(queues.resolve("a", b"other"), None);
        assert_eq!(queues.enqueue(id, "1".into()), Ok(true), "who put it in begins to tell");
        assert_eq!(queues.enqueue(id, "2".into()), Ok(false), "the same tells of this one");
        assert_eq!(queues.next(id), Some("second"));
        assert_eq!(queues.dequeue(id).unwrap(), "1");
        assert_eq!(queues.dequeue(id).unwrap(), "2");
        assert_eq!(queues.dequeue(id), Err(Status::Empty));
        assert_eq!(queues.next(id), None, "nothing is left to tell of");
        assert_eq!(queues.enqueue(id, "3".into()), Ok(true));
        queues.told(id);
        assert_eq!(queues.enqueue(id, "4".into()), Ok(true), "who told went before its time");
        let told = [queues.next(id), queues.next(id), queues.next(id)];
        assert_eq!(told, [Some("second"), Some("second"), None], "once for each item");
        assert_eq!((queues.dequeue(id).unwrap(), queues.dequeue(id).unwrap()), ("3".into(), "4".into()));
        for nothing in [0, 3, u32::MAX] {
            assert_eq!(queues.dequeue(nothing), Err(Status::NotFound));
        }
    }

    #[test]
    fn a_queue_has_a_bound() {
        let queues = Queues::<()>::default();
        let id = queues.register("a", b"jobs", None).unwrap();
        for _ in 0..MOST_ITEMS {
            queues.enqueue(id, "x".into()).unwrap();
        }
        assert_eq!(queues.enqueue(id, "x".into()), Err(Status::InternalFailure));
        let more: Vec<_> = (0..100_u8).map(|name| queues.register("a", &[name], None)).collect();
        assert_eq!(more.iter().filter(|made| made.is_ok()).count(), MOST_OF_PLUGIN - 1);
        assert!(queues.register("b", b"jobs", None).is_ok(), "another plugin has its own");
    }
}
