//! The closed loop through three plugins: a key, a limit, an edit of the answer's header.

use crate::bench::goals::Goal;
use crate::bench::measure::Measurement;
use crate::bench::measure::load;

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "Three plugins in WebAssembly at full load",
    columns: load::COLUMNS,
    key: 0,
    goals: &[
        Goal::Ratio { peer: "nginx", most: 1.0, or_within: None },
        Goal::Ratio { peer: "nginx-lua", most: 0.70, or_within: None },
        // What the chain costs: beyond it the two do the same.
        Goal::Ratio { peer: "gateway", most: 0.0, or_within: Some(3.0) },
    ],
};
