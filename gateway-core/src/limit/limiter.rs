//! Seats, and a queue before them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{Gradient, Mode, Sample, Settings};

/// Lets calls in up to a limit, and queues a bounded number of others. It outlives its settings, which each call
/// brings along.
///
/// Who waits is served in turn. Once the queue is more than half full, the one that came last is served first: its
/// client is still there, and the others' would be served too late all of them.
#[derive(Debug, Default)]
pub struct Limiter {
    /// Behind a lock, held for a few instructions and never over a wait: seats and queue belong together.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seated: u32,
    /// In the order of their numbers.
    queue: VecDeque<(u64, oneshot::Sender<Seat>)>,
    next: u64,
    gradient: Gradient,
    /// What the last call brought along: its settings and its moment.
    settings: Settings,
    now: u64,
}

/// What a call finds.
#[derive(Debug)]
pub enum Entry {
    /// A seat.
    Seated(Seat),
    /// A place in the queue.
    Queued(Place),
    /// Neither.
    Full,
}

impl Limiter {
    /// A seat, a place in the queue, or nothing. `now` is in milliseconds of any clock that never goes back.
    #[must_use]
    pub fn enter(self: &Arc<Self>, settings: &Settings, now: u64) -> Entry {
        let mut state = self.lock();
        (state.settings, state.now) = (*settings, now);
        // Who waits comes first.
        if state.queue.is_empty() && state.seated < state.limit() {
            state.seated += 1;
            return Entry::Seated(Seat(Some(Arc::clone(self))));
        }
        if state.queue.len() >= settings.queue {
            return Entry::Full;
        }
        let (sender, seat) = oneshot::channel();
        let number = state.next;
        state.next += 1;
        state.queue.push_back((number, sender));
        let place = Place { limiter: Arc::clone(self), number, seat, patience: settings.patience };
        drop(state);
        // A limit that has grown may have room for those that wait.
        self.seat_those_that_wait();
        Entry::Queued(place)
    }

    /// Calls that have a seat.
    #[must_use]
    pub fn seated(&self) -> u32 {
        self.lock().seated
    }

    /// Calls that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.lock().queue.len()
    }

    /// The limit now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.lock().limit()
    }

    /// Takes a call into account that has ended, or is as good as ended, at `now`. A limit that is fixed does not
    /// care.
    pub fn sample(&self, took: Duration, dropped: bool, now: u64) {
        let mut state = self.lock();
        state.now = now;
        let Settings { mode, least, most, .. } = state.settings;
        if mode == Mode::Adaptive {
            let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let in_flight = state.seated;
            state.gradient.sample(Sample { took, in_flight, dropped }, least, most, now);
        }
    }

    /// Gives seats that are free to those that wait.
    fn seat_those_that_wait(self: &Arc<Self>) {
        while let Some(waiting) = self.next_to_sit() {
            // One that has just given up gives its seat back, and the next one has it.
            if let Err(mut seat) = waiting.send(Seat(Some(Arc::clone(self)))) {
                seat.0 = None;
                self.lock().stand_up();
            }
        }
    }

    fn next_to_sit(&self) -> Option<oneshot::Sender<Seat>> {
        let mut state = self.lock();
        if state.seated >= state.limit() {
            return None;
        }
        let crowded = state.queue.len() * 2 > state.settings.queue.max(2);
        let (_, next) = if crowded { state.queue.pop_back()? } else { state.queue.pop_front()? };
        state.seated += 1;
        Some(next)
    }

    /// Gives back a seat that was [kept](Seat::keep).
    pub fn leave(self: &Arc<Self>) {
        self.lock().stand_up();
        self.seat_those_that_wait();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn limit(&self) -> u32 {
        match self.settings.mode {
            Mode::Fixed => self.settings.most.max(1),
            Mode::Adaptive => self.gradient.limit(self.settings.least, self.settings.most, self.now),
        }
    }

    const fn stand_up(&mut self) {
        self.seated = self.seated.saturating_sub(1);
    }
}

/// A seat. It is free again when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Seat(Option<Arc<Limiter>>);

impl Seat {
    /// Keeps it beyond this value: somebody calls [`Limiter::leave`] once, later.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(limiter) = self.0.take() {
            limiter.leave();
        }
    }
}

/// A place in the queue. It is given up when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    limiter: Arc<Limiter>,
    number: u64,
    seat: oneshot::Receiver<Seat>,
    patience: Duration,
}

impl Place {
    /// Waits for a seat; none where that takes too long. Cancel safe: a place that is dropped holds nothing.
    pub async fn wait(mut self) -> Option<Seat> {
        timeout(self.patience, &mut self.seat).await.ok()?.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        let found = state.queue.binary_search_by_key(&self.number, |(number, _)| *number);
        let given_up = found.ok().and_then(|at| state.queue.remove(at));
        // A seat that comes at this moment is dropped with its channel, which takes the lock.
        drop(state);
        drop(given_up);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use proptest::prelude::*;

    use super::{Entry, Limiter, Place, Seat, Settings};

    fn settings(most: u32, queue: usize) -> Settings {
        Settings { most, queue, ..Settings::default() }
    }

    fn seat(limiter: &Arc<Limiter>, settings: &Settings) -> Seat {
        let Entry::Seated(seat) = limiter.enter(settings, 1) else { panic!("no seat") };
        seat
    }

    fn place(limiter: &Arc<Limiter>, settings: &Settings) -> Place {
        let Entry::Queued(place) = limiter.enter(settings, 1) else { panic!("no place") };
        place
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_and_leaves_no_trace() {
        let (limiter, settings) = (Arc::new(Limiter::default()), settings(1, 2));
        let held = seat(&limiter, &settings);
        assert!(place(&limiter, &settings).wait().await.is_none());
        assert_eq!((limiter.seated(), limiter.queued()), (1, 0));
        drop(held);
        assert_eq!(limiter.seated(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn seats_go_in_turn_and_to_the_last_one_where_it_is_crowded() {
        for (queued, first) in [(2, 0), (4, 3)] {
            let (limiter, settings) = (Arc::new(Limiter::default()), settings(1, 4));
            let held = seat(&limiter, &settings);
            let mut places: Vec<_> = (0..queued).map(|_| place(&limiter, &settings)).collect();
            drop(held);
            let seats: Vec<_> = places.iter_mut().map(|place| place.seat.try_recv().ok()).collect();
            assert_eq!(seats.iter().position(Option::is_some), Some(first), "of {queued}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_grows_has_room_at_once() {
        let limiter = Arc::new(Limiter::default());
        let _held = seat(&limiter, &settings(1, 9));
        let waiting = place(&limiter, &settings(1, 9));
        let other = place(&limiter, &settings(3, 9));
        assert!(waiting.wait().await.is_some() && other.wait().await.is_some());
    }

    #[tokio::test]
    async fn a_place_that_is_given_up_as_its_seat_comes_passes_it_on() {
        let (limiter, settings) = (Arc::new(Limiter::default()), settings(1, 9));
        let held = seat(&limiter, &settings);
        let (first, second) = (place(&limiter, &settings), place(&limiter, &settings));
        drop(held);
        // It has the seat already, and nobody looks.
        drop(first);
        assert!(second.wait().await.is_some());
        assert_eq!((limiter.seated(), limiter.queued()), (0, 0));
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_the_limit_and_all_seats_come_back(
            acts in proptest::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..200),
            most in 1u32..6,
            queue in 0usize..6,
        ) {
            let (limiter, settings) = (Arc::new(Limiter::default()), settings(most, queue));
            let (mut seats, mut places): (Vec<Seat>, Vec<Place>) = (Vec::new(), Vec::new());
            for (act, which) in acts {
                match act {
                    0 => match limiter.enter(&settings, 1) {
                        Entry::Seated(seat) => seats.push(seat),
                        Entry::Queued(place) => places.push(place),
                        Entry::Full => prop_assert_eq!(limiter.queued(), queue),
                    },
                    1 if !seats.is_empty() => drop(seats.swap_remove(which.index(seats.len()))),
                    2 if !places.is_empty() => drop(places.swap_remove(which.index(places.len()))),
                    _ => {}
                }
                prop_assert!(limiter.seated() <= most && limiter.queued() <= queue);
                // Nobody waits while there is a seat.
                prop_assert!(limiter.queued() == 0 || limiter.seated() == most);
            }
            drop((seats, places));
            prop_assert_eq!((limiter.seated(), limiter.queued()), (0, 0));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn under_a_storm_nobody_is_forgotten() {
        let (limiter, mut settings) = (Arc::new(Limiter::default()), settings(3, 1_000));
        settings.patience = Duration::from_secs(30);
        let mut storm = tokio::task::JoinSet::new();
        for number in 0..500 {
            let limiter = Arc::clone(&limiter);
            storm.spawn(async move {
                let seat = match limiter.enter(&settings, 1) {
                    Entry::Seated(seat) => Some(seat),
                    // Some leave at once.
                    Entry::Queued(place) if number % 7 == 0 => {
                        drop(place);
                        return true;
                    }
                    Entry::Queued(place) => place.wait().await,
                    Entry::Full => None,
                };
                tokio::task::yield_now().await;
                assert!(limiter.seated() <= 3);
                seat.is_some()
            });
        }
        assert!(storm.join_all().await.into_iter().all(|served| served));
        assert_eq!((limiter.seated(), limiter.queued()), (0, 0));
    }
}
