//! The metrics that a guest defines.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::abi::{MetricKind, Status};

/// Metrics of one plugin.
const MOST: usize = 1_024;

/// One metric of a guest, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name the guest gave.
    pub name: String,
    /// Its value.
    pub value: MetricValue,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricValue {
    /// Only grows.
    Counter(u64),
    /// Goes both ways.
    Gauge(u64),
    /// How many values were recorded, and their sum.
    Histogram {
        /// How many.
        count: u64,
        /// Their sum.
        sum: u64,
    },
}

/// The metrics of one plugin, over all its instances.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<Vec<Cell>>);

#[derive(Debug)]
struct Cell {
    name: String,
    kind: MetricKind,
    value: AtomicU64,
    count: AtomicU64,
}

impl Metrics {
    /// The metric of this name, made where there is none. Its number, from 1.
    pub(crate) fn define(&self, kind: MetricKind, name: &str) -> Result<u32, Status> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match cells.iter().position(|cell| cell.name == name) {
            Some(at) if cells.get(at).is_some_and(|cell| cell.kind == kind) => at,
            Some(_) => return Err(Status::BadArgument),
            None if cells.len() == MOST => return Err(Status::InternalFailure),
            None => {
                cells.push(Cell {
                    name: name.to_owned(),
                    kind,
                    value: AtomicU64::new(0),
                    count: AtomicU64::new(0),
                });
                cells.len() - 1
            }
        };
        u32::try_from(at + 1).map_err(|_| Status::InternalFailure)
    }

    /// Changes a counter or a gauge by `delta`; a counter only grows.
    pub(crate) fn increment(&self, id: u32, delta: i64) -> Result<(), Status> {
        self.with(id, |cell| match cell.kind {
            MetricKind::Counter if delta < 0 => Err(Status::BadArgument),
            MetricKind::Histogram => Err(Status::BadArgument),
            MetricKind::Counter | MetricKind::Gauge => {
                let add = |value: u64| Some(value.saturating_add_signed(delta));
                let _ = cell.value.fetch_update(Relaxed, Relaxed, add);
                Ok(())
            }
        })
    }

    /// Sets a gauge, records a value of a histogram, and adds to a counter, as Envoy does.
    pub(crate) fn record(&self, id: u32, value: u64) -> Result<(), Status> {
        self.with(id, |cell| {
            if cell.kind == MetricKind::Gauge {
                cell.value.store(value, Relaxed);
            } else {
                cell.value.fetch_add(value, Relaxed);
                cell.count.fetch_add(1, Relaxed);
            }
            Ok(())
        })
    }

    /// The value of a counter or a gauge.
    pub(crate) fn get(&self, id: u32) -> Result<u64, Status> {
        self.with(id, |cell| match cell.kind {
            MetricKind::Histogram => Err(Status::BadArgument),
            MetricKind::Counter | MetricKind::Gauge => Ok(cell.value.load(Relaxed)),
        })
    }

    /// All of them, in the order they were defined.
    pub(crate) fn all(&self) -> Vec<Metric> {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells.iter().map(|cell| Metric { name: cell.name.clone(), value: cell.value() }).collect()
    }

    fn with<T>(&self, id: u32, act: impl FnOnce(&Cell) -> Result<T, Status>) -> Result<T, Status> {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).ok_or(Status::NotFound)?;
        act(cells.get(index).ok_or(Status::NotFound)?)
    }
}

impl Cell {
    fn value(&self) -> MetricValue {
        let value = self.value.load(Relaxed);
        match self.kind {
            MetricKind::Counter => MetricValue::Counter(value),
            MetricKind::Gauge => MetricValue::Gauge(value),
            MetricKind::Histogram => MetricValue::Histogram { count: self.count.load(Relaxed), sum: value },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, MetricValue, Metrics};
    use crate::abi::{MetricKind, Status};

    #[test]
    fn each_kind_takes_what_suits_it() {
        let metrics = Metrics::default();
        let counter = metrics.define(MetricKind::Counter, "hits").unwrap();
        let gauge = metrics.define(MetricKind::Gauge, "open").unwrap();
        let histogram = metrics.define(MetricKind::Histogram, "size").unwrap();
        assert_eq!(metrics.define(MetricKind::Counter, "hits"), Ok(counter), "by its name");
        assert_eq!(metrics.define(MetricKind::Gauge, "hits"), Err(Status::BadArgument));
        metrics.increment(counter, 2).unwrap();
        metrics.record(counter, 3).unwrap();
        assert_eq!(metrics.increment(counter, -1), Err(Status::BadArgument));
        metrics.record(gauge, 7).unwrap();
        metrics.increment(gauge, -2).unwrap();
        metrics.record(histogram, 10).unwrap();
        assert_eq!(metrics.increment(histogram, 1), Err(Status::BadArgument));
        assert_eq!(metrics.get(histogram), Err(Status::BadArgument));
        assert_eq!(metrics.get(counter), Ok(5));
        assert_eq!(metrics.get(99), Err(Status::NotFound));
        assert_eq!(metrics.get(0), Err(Status::NotFound));
        let value = |name: &str, value| Metric { name: name.into(), value };
        assert_eq!(
            metrics.all(),
            [
                value("hits", MetricValue::Counter(5)),
                value("open", MetricValue::Gauge(5)),
                value("size", MetricValue::Histogram { count: 1, sum: 10 }),
            ]
        );
    }
}
