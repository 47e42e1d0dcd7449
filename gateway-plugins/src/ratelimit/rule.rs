//! One window of a limiter: what it has counted, what is left, when it begins anew. Time is passed in.

use plugin_contract::ratelimit::{Algorithm, Period, Window};

use super::calendar::{length, span};

/// What a window has counted for one key. Times are milliseconds since 1970.
///
/// | | `start` | `count` | `before` |
/// |---|---|---|---|
/// | fixed | when the window began | what happened in it | - |
/// | sliding | when the newer half began | what happened in it | what happened in the half before |
/// | pace | when it was looked at | how full the bucket was: cost x milliseconds of the period | - |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) start: u64,
    /// When it may be forgotten. With fixed windows that is the end of this one.
    pub(crate) until: u64,
    pub(crate) count: u64,
    pub(crate) before: u64,
}

/// How one window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) algorithm: Algorithm,
    pub(crate) window: Window,
    /// The period, in milliseconds.
    length: u64,
}

impl Rule {
    /// None where the bucket of an even pace does not fit its number: the limit times the period's milliseconds is
    /// 2^63 or more.
    pub(crate) fn new(algorithm: Algorithm, window: Window) -> Option<Self> {
        let length = length(window.period);
        let fits = window.limit.checked_mul(length).is_some_and(|room| room < 1 << 63);
        (fits || algorithm != Algorithm::Pace).then_some(Self { algorithm, window, length })
    }

    /// What tells the windows of one key apart: an edit that adds one leaves the others as they are.
    pub(crate) fn part(&self) -> u64 {
        let period = match self.window.period {
            Period::Second => 1,
            Period::Minute => 2,
            Period::Hour => 3,
            Period::Day => 4,
            Period::Month => 5,
            Period::Year => 6,
            Period::Seconds(seconds) => u64::from(seconds) << 8,
        };
        let algorithm = match self.algorithm {
            Algorithm::Fixed => 0,
            Algorithm::Sliding => 1 << 62,
            Algorithm::Pace => 2 << 62,
        };
        period | algorithm
    }

    /// What a cell says at `now`.
    ///
    /// Where the clock went back, what was counted since counts now: nobody gets a second go, and nobody waits for
    /// a time that is far away.
    pub(crate) fn roll(&self, cell: Cell, now: u64) -> Cell {
        match self.algorithm {
            Algorithm::Fixed => self.roll_fixed(cell, now),
            Algorithm::Sliding => self.roll_sliding(cell, now),
            Algorithm::Pace => {
                let drained = now.saturating_sub(cell.start).saturating_mul(self.window.limit);
                let count = cell.count.saturating_sub(drained);
                Cell { start: now, until: self.empty_at(now, count), count, before: 0 }
            }
        }
    }

    /// How much may still happen; the cell is rolled.
    pub(crate) fn left(&self, cell: &Cell, now: u64) -> u64 {
        let limit = self.window.limit;
        match self.algorithm {
            Algorithm::Fixed => limit.saturating_sub(cell.count),
            Algorithm::Sliding => {
                let within = self.length.saturating_sub(now - cell.start);
                let before = scaled(cell.before, within, self.length).0;
                limit.saturating_sub(cell.count).saturating_sub(before)
            }
            Algorithm::Pace => (limit * self.length).saturating_sub(cell.count) / self.length,
        }
    }

    /// Counts what has been allowed; the cell is rolled.
    pub(crate) fn count(&self, cell: &mut Cell, now: u64, cost: u64) {
        if self.algorithm == Algorithm::Pace {
            cell.count = cell.count.saturating_add(cost.saturating_mul(self.length));
            cell.until = self.empty_at(now, cell.count);
        } else {
            cell.count = cell.count.saturating_add(cost);
        }
    }

    /// Milliseconds until the window begins anew; where it is not aligned, until `cost` may happen. The cell is
    /// rolled.
    pub(crate) fn wait(&self, cell: &Cell, now: u64, cost: u64) -> u64 {
        match self.algorithm {
            Algorithm::Fixed => cell.until.saturating_sub(now),
            Algorithm::Sliding => self.wait_sliding(cell, now, cost),
            Algorithm::Pace => {
                let room = (self.window.limit * self.length).saturating_sub(cost.saturating_mul(self.length));
                cell.count.saturating_sub(room).div_ceil(self.window.limit)
            }
        }
    }

    fn roll_fixed(&self, cell: Cell, now: u64) -> Cell {
        if cell.start <= now && now < cell.until {
            return cell;
        }
        let this = span(self.window.period, now);
        let count = if cell.start > now { cell.count } else { 0 };
        Cell { start: this.start, until: this.end, count, before: 0 }
    }

    fn roll_sliding(&self, cell: Cell, now: u64) -> Cell {
        let start = now - now % self.length;
        let (count, before) = if cell.start >= start {
            (cell.count, cell.before)
        } else if cell.start.saturating_add(self.length) == start {
            (0, cell.count)
        } else {
            (0, 0)
        };
        Cell { start, until: start.saturating_add(2 * self.length), count, before }
    }

    fn wait_sliding(&self, cell: &Cell, now: u64, cost: u64) -> u64 {
        let within = self.length.saturating_sub(now - cell.start);
        let room = self.window.limit.saturating_sub(cost);
        // As long as the newer half lasts, the older one leaves bit by bit; then the newer one does.
        if cell.count <= room {
            return within.saturating_sub(self.until_fits(cell.before, room - cell.count));
        }
        within + self.length - self.until_fits(cell.count, room)
    }

    /// The milliseconds of a half that holds `count` that may be within when no more than `room` counts.
    fn until_fits(&self, count: u64, room: u64) -> u64 {
        if count <= room { self.length } else { scaled(room, self.length, count).1 }
    }

    fn empty_at(&self, now: u64, level: u64) -> u64 {
        now.saturating_add(level.div_ceil(self.window.limit))
    }
}

/// `count * part / whole`, rounded up and down. A part is not larger than its whole, or `count` not larger than it.
fn scaled(count: u64, part: u64, whole: u64) -> (u64, u64) {
    let (product, whole) = (u128::from(count) * u128::from(part), u128::from(whole.max(1)));
    let fit = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    (fit(product.div_ceil(whole)), fit(product / whole))
}
