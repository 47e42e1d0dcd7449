//! How many lines an instance may write into the log within a second. Pure: the time comes in.

/// Lines of one instance. The bound for each callback says nothing of many callbacks.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: u64,
    written: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is written, and before it how many were left out of late.
    Written(u64),
    /// It is left out.
    LeftOut,
}

impl Lines {
    /// A line at `now`, in milliseconds, where `most` are let through within a second.
    pub(crate) fn take(&mut self, now: u64, most: u32) -> Line {
        if self.second != now / 1_000 {
            (self.second, self.written) = (now / 1_000, 0);
        }
        if self.written >= most {
            self.left_out += 1;
            return Line::LeftOut;
        }
        self.written += 1;
        Line::Written(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines};

    #[test]
    fn what_is_too_much_within_a_second_is_left_out_and_told_in_the_next() {
        let mut lines = Lines::default();
        let second: Vec<_> = (0..5).map(|at| lines.take(7_000 + at, 3)).collect();
        assert_eq!(second[..3], [Line::Written(0), Line::Written(0), Line::Written(0)]);
        assert_eq!(second[3..], [Line::LeftOut, Line::LeftOut]);
        assert_eq!(lines.take(8_000, 3), Line::Written(2));
        assert_eq!(lines.take(8_001, 3), Line::Written(0));
        assert_eq!(lines.take(9_000, 0), Line::LeftOut);
    }
}
