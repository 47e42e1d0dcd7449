//! The open loop over a thousand of 50,000 routes, with and without changes of others meanwhile.

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::measure::p99::{self, Asked};
use crate::bench::measure::{Column, Load, Measurement, column};
use crate::bench::stage::Stage;

const COLUMNS: &[Column] = &[
    column("p99 us", 0),
    column("p50 us", 0),
    column("requests/s", 0),
    column("CPU us/request", 2),
    column("wrong answers", 0),
];

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "50,000 routes, 400 of them changed each second, at half of the peak rate",
    columns: COLUMNS,
    key: 0,
    goals: &[Goal::Ratio { peer: "still", most: 1.3, or_within: None }, Goal::Most { column: 4, most: 0.0 }],
};

pub(super) async fn turn(stage: &Stage, load: Load) -> Result<Vec<f64>> {
    let asked = Asked { path: "/steady-{}/hello", spread: 1_000 };
    let (mut figures, paced) = p99::measured(stage, load, asked).await?;
    figures.push(paced.wrong as f64);
    Ok(figures)
}
