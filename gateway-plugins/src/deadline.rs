//! How long a callback may run.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time and wall time of one entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// What an entry has used of its budget.
///
/// Entries last microseconds, and reading the thread's clock is a system call. So nothing is measured until the
/// first tick of the engine finds the guest still running; what ran before it is taken as one whole tick, but as no more
/// than half of the budget. So a guest has its budget at most, and a tick less at least; of a budget that is shorter than two ticks
/// it has half, and ends at the second tick.
#[derive(Debug)]
pub(crate) struct Deadline {
    budget: Budget,
    ticks: u32,
    /// The thread's processor time at the first tick.
    first: Duration,
}

/// Between two ticks. Each wakes a thread, some five microseconds of a processor's time: at every millisecond that is half a
/// microsecond of a request where the thread shares the processor of the only worker.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// The entry used up its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Overrun {
    #[error("the callback used up its {0:?} of processor time")]
    Cpu(Duration),
    #[error("the callback took longer than {0:?}")]
    Wall(Duration),
}

impl Deadline {
    pub(crate) const fn new(budget: Budget) -> Self {
        Self { budget, ticks: 0, first: Duration::ZERO }
    }

    /// Notes a tick that found the guest running.
    pub(crate) fn tick(&mut self) -> Result<(), Overrun> {
        self.tick_at(thread_time())
    }

    fn tick_at(&mut self, cpu: Duration) -> Result<(), Overrun> {
        self.ticks += 1;
        if self.ticks == 1 {
            self.first = cpu;
        }
        let before = TICK.min(self.budget.cpu / 2);
        if cpu.saturating_sub(self.first) + before > self.budget.cpu {
            return Err(Overrun::Cpu(self.budget.cpu));
        }
        if TICK * self.ticks > self.budget.wall {
            return Err(Overrun::Wall(self.budget.wall));
        }
        Ok(())
    }
}

/// Processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, Deadline, Overrun, TICK};

    const MS: Duration = Duration::from_millis(1);
    const BUDGET: Budget = Budget { cpu: Duration::from_millis(10), wall: Duration::from_millis(100) };

    #[test]
    fn a_busy_callback_ends_after_its_processor_time() {
        let mut deadline = Deadline::new(BUDGET);
        let start = 70 * MS;
        for tick in 0..5 {
            assert_eq!(deadline.tick_at(start + tick * TICK), Ok(()));
        }
        assert_eq!(deadline.tick_at(start + 5 * TICK), Err(Overrun::Cpu(10 * MS)));
    }

    #[test]
    fn a_short_budget_outlasts_the_first_tick() {
        let mut deadline = Deadline::new(Budget { cpu: MS, ..BUDGET });
        assert_eq!(deadline.tick_at(70 * MS), Ok(()));
        assert_eq!(deadline.tick_at(70 * MS + TICK), Err(Overrun::Cpu(MS)));
    }

    #[test]
    fn one_that_the_kernel_keeps_waiting_goes_on_up_to_the_wall() {
        let mut deadline = Deadline::new(BUDGET);
        for _ in 0..50 {
            assert_eq!(deadline.tick_at(70 * MS), Ok(()));
        }
        assert_eq!(deadline.tick_at(70 * MS), Err(Overrun::Wall(100 * MS)));
    }
}
