//! What is made once for a configuration, and known by a number from then on.

use std::sync::OnceLock;

use crate::Status;

/// Things of one kind, by their numbers. A place once taken stays: looking takes no lock.
pub(super) struct Kept<T>([OnceLock<(Vec<u8>, T)>; MOST]);

/// Things of one kind that one configuration may have.
const MOST: usize = 64;

impl<T> Kept<T> {
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let place = self.0.get(usize::try_from(number).ok()?)?;
        place.get().map(|(_, made)| made)
    }

    /// The number of the thing with these arguments, made where there is none.
    pub(super) fn number(
        &self,
        arguments: &[u8],
        make: impl FnOnce() -> Result<T, Status>,
    ) -> Result<u32, Status> {
        let is = |place: &OnceLock<(Vec<u8>, T)>| place.get().is_some_and(|(made, _)| made == arguments);
        let known = self.0.iter().position(is);
        let at = match known {
            Some(at) => at,
            None if self.0.iter().all(|place| place.get().is_some()) => return Err(Status::InternalFailure),
            None => {
                let mut fresh = Some((arguments.to_vec(), make()?));
                // Of workers that make one at the same time each takes the first place that is left, or its own.
                let mut taken = |place: &OnceLock<(Vec<u8>, T)>| {
                    fresh = fresh.take().and_then(|made| place.set(made).err());
                    is(place)
                };
                self.0.iter().position(&mut taken).ok_or(Status::InternalFailure)?
            }
        };
        u32::try_from(at).map_err(|_| Status::InternalFailure)
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; MOST])
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, MOST};
    use crate::Status;

    #[test]
    fn what_is_made_twice_is_one_and_the_number_is_bounded() {
        let kept = Kept::default();
        let make = |name: u8| kept.number(&[name], || Ok(name));
        assert_eq!((make(1), make(2), make(1), make(2)), (Ok(0), Ok(1), Ok(0), Ok(1)));
        assert_eq!((kept.get(1), kept.get(2), kept.get(u32::MAX)), (Some(&2), None, None));
        assert_eq!(kept.number(&[9], || Err(Status::BadArgument)), Err(Status::BadArgument));
        let numbers: Vec<_> = (0..=100).map(make).collect();
        assert_eq!(numbers.iter().filter(|number| number.is_ok()).count(), MOST);
        assert_eq!(numbers.last(), Some(&Err(Status::InternalFailure)));
    }

    #[test]
    fn what_is_made_at_the_same_time_has_one_number_each() {
        let kept = Kept::default();
        let all = std::thread::scope(|scope| {
            let make = |name: u8| kept.number(&[name % 4], || Ok(()));
            let threads: Vec<_> = (0..16).map(|name| scope.spawn(move || (name % 4, make(name)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (name, number) in &all {
            assert!(number.is_ok_and(|number| number < 4));
            assert!(all.iter().all(|(other, that)| (name == other) == (number == that)), "{all:?}");
        }
    }
}
